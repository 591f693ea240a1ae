// What an exported page says beside web/static/strings.js, in English and in Korean.

const WORDS = {
  en: {
    blank: "The text is empty.",
    symbol: "The symbol “{symbol}” was not seen in training.",
    feature: "The feature “{symbol}” was not seen in training.",
    features: "This model needs features as well.",
    nothing: "None of these symbols was seen in training.",
    letThrough: "Let symbols through that were never seen in training",
    known: "Known symbols: {symbols}",
    knownFeatures: "Known features, separated by semicolons: {symbols}",
    offline: "The model is in this page and runs in your browser. Nothing you type leaves it.",
  },
  ko: {
    blank: "입력이 비어 있습니다.",
    symbol: "“{symbol}”은(는) 학습할 때 없던 기호입니다.",
    feature: "“{symbol}”은(는) 학습할 때 없던 자질입니다.",
    features: "이 모델에는 자질도 입력해야 합니다.",
    nothing: "학습할 때 본 기호가 하나도 없습니다.",
    letThrough: "학습할 때 없던 기호도 받아들이기",
    known: "학습한 기호: {symbols}",
    knownFeatures: "학습한 자질(세미콜론으로 구분): {symbols}",
    offline: "모델은 이 페이지 안에 있고 브라우저에서 실행됩니다. 입력한 내용은 밖으로 나가지 않습니다.",
  },
};

export function say(key, values = {}) {
  return WORDS[document.documentElement.lang][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
