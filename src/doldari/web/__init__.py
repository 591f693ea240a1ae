"""`doldari serve`: models on a web page and behind an API, with FastAPI and uvicorn (the extra `web`).

app.py         the routes                 guard.py     headers, size and time of a request, allowed hosts
requests.py    what is asked, with limits worker.py    one thread that predicts; requests wait in a queue
served.py      which models there are     start.py     the socket, and uvicorn
static/        the page: HTML, CSS and plain modules, no build step
"""
