package agent

import (
	"context"
	"runtime"

	"imzo/internal/i18n"
)

func appPlugin() plugin {
	return plugin{
		name:  "app",
		about: text{ru: "Плагин для работы с настройками приложения E-IMZO", uz: "E-IMZO ilova sozlamalari bilan ishlash uchun plagin"},
		functions: []function{
			{name: "get_jvm_version", about: text{ru: "Информацио о версии JVM"}, run: jvmVersion},
			{
				name: "change_ui_lang", about: text{ru: "Изменить язык интерфейса (не сохраняя в настройках)"},
				args: []argument{{name: "lang", about: "Код языка (uz,ru)"}}, run: changeLanguage,
			},
			{name: "show_menu", about: text{ru: "Отобразить окно с меню E-IMZO"}, run: showMenu},
		},
	}
}

// jvmVersion answers with what runs in the place of Java: pages show it in
// reports of trouble.
func jvmVersion(_ context.Context, a *Agent, _ *call) (fields, error) {
	return fields{"message": "imzo " + a.options.Version + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}, nil
}

// changeLanguage takes English too, which the original has not.
func changeLanguage(_ context.Context, a *Agent, c *call) (fields, error) {
	locale, ok := map[string]string{"uz": "uz_UZ", "ru": "ru_RU", "en": "en_US"}[c.arg(0)]
	if !ok {
		return nil, fail(-1005, textInvalidLangCode)
	}
	a.setLanguage(c.Caller, i18n.Language(c.arg(0)))
	return fields{"message": locale}, nil
}

// showMenu opens the agent's own page where there is a desktop, and succeeds
// where there is none: a page cannot tell.
func showMenu(ctx context.Context, a *Agent, _ *call) (fields, error) {
	if a.options.ShowMenu != nil {
		a.options.ShowMenu(ctx)
	}
	return fields{}, nil
}
