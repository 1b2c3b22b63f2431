package prompt

import "imzo/internal/i18n"

// texts are the words of the forms.
var texts = map[string]map[i18n.Language]string{
	"rules": {
		i18n.Russian: "Пароль: не менее 10 символов, из них не менее 2 строчных и 2 прописных букв и цифры.",
		i18n.Uzbek:   "Parol: kamida 10 belgi, ulardan kamida 2 ta kichik va 2 ta katta harf hamda raqamlar.",
		i18n.English: "Password: at least 10 characters, with at least 2 small letters, 2 capital letters and digits.",
	},
}

// say is a text in a language, or in Russian.
func say(l i18n.Language, id string) string {
	t := texts[id]
	if s, ok := t[l]; ok {
		return s
	}
	return t[i18n.Russian]
}
