// All that the page says, in English and in Korean.

const EN = {
  skip: "Skip to content", nav: "Views", language: "한국어", theme: "Colour scheme",
  light: "Light", dark: "Dark", auto: "Auto",
  predict: "Predict", batch: "Batch", training: "Training", about: "Model",
  model: "Model", compare: "Compare with", none: "none", beam: "Beam size", greedy: "1 (greedy)",
  source: "Source text", type: "Type a source text", features: "Features", examples: "Examples",
  answer: "Output", empty: "The output appears as you type.", end: "end", start: "start",
  probability: "probability", limit: "cut at the maximum length", abstained: "below the minimum probability",
  steps: "Step by step", stepsNote: "The encoder reads the source; its state crosses to the decoder, which reads its own last symbol and writes the next.",
  attended: "The darker an encoder cell, the more attention the selected step pays to it.",
  moved: "The darker an encoder cell, the further its symbol moved the state.",
  encoder: "Encoder", decoder: "Decoder", bridge: "state",
  stepOf: "Step {t} of {n}", before: "Previous step", after: "Next step",
  went: "Probabilities after the input {input}.",
  force: "force this symbol", forceNote: "Select another symbol to force it; the rest is predicted anew.",
  forced: "forced", unforce: "Undo the forced symbols",
  nbest: "n-best", nbestNote: "Ranked by log-probability per symbol.", rank: "Rank",
  attention: "Attention", attentionNote: "Each row: how much a step attends to each source symbol.",
  next: "Next symbol", state: "Hidden state", states: "Encoder", statesNote: "Each column: the top layer's state after a symbol ({k} of {n} units). Bars: how far it moved.",
  decoderStates: "Decoder", change: "change",
  tree: "Beam search", treeNote: "Every hypothesis the beam kept. The best path is bold; faint ends were dropped.",
  gates: "Gates", gatesNote: "Mean over the units, position by position.",
  layer: "layer", f: "forget", i: "input", o: "output", r: "reset", z: "update",
  noInsides: "This model has no single recurrent state: hidden states and gates are not shown.",
  longSource: "Longer than any source in training ({n} symbols); less reliable.",
  batchNote: "One source per line. Paste lines, or drop a text file.", lines: "Lines", file: "Text file",
  run: "Predict all lines", stop: "Stop", download: "Download TSV", done: "{n} of {all} lines", failed: "Lines with an error: {n}",
  long: "longer than {n} characters", first: "The first {n} lines; the file has all.",
  runs: "Runs", status: "Status", data: "Data", kind: "Kind", epochs: "Epochs", epoch: "epoch", accuracy: "Accuracy",
  accuracyCurve: "Validation accuracy", lossCurve: "Loss", lossNote: "Solid: validation. Dashed: training.",
  running: "running", finished: "finished", stopped: "stopped", interrupted: "interrupted",
  live: "Updates while a run trains.", asTable: "As a table", noEpochs: "No epoch is finished yet.",
  noModel: "No run here has a model yet; it appears after the first epoch.",
  card: "Model card", symbols: "Source symbols", saveCard: "Download README.md",
  offline: "The server does not answer. It may have been stopped.", chosenRuns: "Show the curve of {name}",
  validation_loss: "validation loss",
};

const KO = {
  skip: "본문으로 건너뛰기", nav: "보기", language: "English", theme: "색상",
  light: "밝게", dark: "어둡게", auto: "자동",
  predict: "예측", batch: "일괄 예측", training: "학습", about: "모델",
  model: "모델", compare: "비교할 모델", none: "없음", beam: "빔 크기", greedy: "1 (탐욕)",
  source: "입력 문장", type: "입력 문장을 쓰세요", features: "자질(feature)", examples: "예시",
  answer: "출력", empty: "입력하는 대로 출력이 나타납니다.", end: "끝", start: "시작",
  probability: "확률", limit: "최대 길이에서 잘림", abstained: "최소 확률보다 낮음",
  steps: "단계별로 보기", stepsNote: "인코더(encoder)가 입력을 읽고, 그 은닉 상태가 디코더(decoder)로 건너갑니다. 디코더는 바로 앞에 쓴 기호를 읽고 다음 기호를 씁니다.",
  attended: "인코더 칸이 진할수록 선택한 단계가 그 기호에 더 주목합니다.",
  moved: "인코더 칸이 진할수록 그 기호가 상태를 크게 바꾸었습니다.",
  encoder: "인코더", decoder: "디코더", bridge: "상태",
  stepOf: "{n}단계 중 {t}단계", before: "이전 단계", after: "다음 단계",
  went: "입력이 {input}일 때 다음 기호의 확률입니다.",
  force: "이 기호로 고정", forceNote: "다른 기호를 고르면 그 기호로 고정하고 나머지를 다시 예측합니다.",
  forced: "고정", unforce: "고정한 기호 되돌리기",
  nbest: "상위 후보", nbestNote: "기호당 로그 확률이 높은 순서입니다.", rank: "순위",
  attention: "어텐션(attention)", attentionNote: "행마다 한 단계가 입력 기호에 얼마나 주목하는지 보여 줍니다.",
  next: "다음 기호", state: "은닉 상태(hidden state)", states: "인코더", statesNote: "열마다 기호 하나를 읽은 뒤의 맨 위 층 상태입니다({n}개 유닛 중 {k}개). 막대는 변화량입니다.",
  decoderStates: "디코더", change: "변화량",
  tree: "빔 탐색(beam search)", treeNote: "빔에 남았던 모든 가설입니다. 가장 좋은 경로는 굵게, 도중에 버린 것은 흐리게 나타냅니다.",
  gates: "게이트(gate)", gatesNote: "위치마다 모든 유닛의 평균입니다.",
  layer: "층", f: "망각", i: "입력", o: "출력", r: "리셋", z: "업데이트",
  noInsides: "이 모델에는 하나로 된 순환 상태가 없어 은닉 상태와 게이트를 보여 주지 않습니다.",
  longSource: "학습 데이터의 가장 긴 입력({n}개 기호)보다 길어 믿기 어렵습니다.",
  batchNote: "한 줄에 입력 하나씩 붙여 넣거나 텍스트 파일을 끌어다 놓으세요.", lines: "입력 줄", file: "텍스트 파일",
  run: "모두 예측", stop: "중지", download: "TSV 내려받기", done: "{all}줄 중 {n}줄", failed: "{n}줄에 오류가 있습니다",
  long: "{n}자보다 깁니다", first: "처음 {n}줄입니다. 파일에는 모두 있습니다.",
  runs: "학습 목록", status: "상태", data: "데이터", kind: "종류", epochs: "에폭", epoch: "에폭", accuracy: "정확도",
  accuracyCurve: "검증 정확도", lossCurve: "손실", lossNote: "실선은 검증, 점선은 학습 손실입니다.",
  running: "학습 중", finished: "완료", stopped: "멈춤", interrupted: "중단됨",
  live: "학습하는 동안 저절로 갱신됩니다.", asTable: "표로 보기", noEpochs: "아직 끝난 에폭이 없습니다.",
  noModel: "아직 모델이 없습니다. 첫 에폭이 끝나면 나타납니다.",
  card: "모델 카드", symbols: "입력 기호", saveCard: "README.md 내려받기",
  offline: "서버가 응답하지 않습니다. 멈추었을 수 있습니다.", chosenRuns: "{name}의 곡선 보기",
  validation_loss: "검증 손실",
};

let words = EN;

export function setLanguage(language) {
  words = language === "ko" ? KO : EN;
  document.documentElement.lang = language;
}

export function t(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
