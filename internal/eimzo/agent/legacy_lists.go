package agent

import "context"

// legacyListPlugins are the kinds of keys that only 3.x and 4.x had. Their
// formats are not public and no key of theirs is made any more, so the lists
// are empty, which pages take as "none plugged in". What would use a key from
// them says that it is not there.
func legacyListPlugins() []plugin {
	noKey := func(context.Context, *Agent, *call) (fields, error) { return nil, fail(-1010, textKeyIdIsNotFound) }
	empty := func(name string) func(context.Context, *Agent, *call) (fields, error) {
		return func(context.Context, *Agent, *call) (fields, error) { return fields{name: []string{}}, nil }
	}
	return []plugin{
		{
			name: "certkey", about: text{ru: "Плагин для работы с ключами и сертификатами в отдельных файлах (прежний формат)"},
			functions: []function{
				{name: "list_disks", about: text{ru: "Получить список дисков"}, legacy: true, run: empty("disks")},
				{name: "list_certificates", about: text{ru: "Получить список сертификатов пользователя"}, args: []argument{{name: "disk", about: "Диск"}}, legacy: true, run: empty("certificates")},
				{name: "list_all_certificates", about: text{ru: "Получить список всех сертификатов пользователя"}, legacy: true, run: empty("certificates")},
				{name: "load_key", about: text{ru: "Загрузить ключ и получить идентификатор ключа"}, args: []argument{{name: "disk", about: "Диск"}, {name: "path", about: "Путь"}, {name: "name", about: "Имя файла без расширения"}, {name: "serialNumber", about: "Серийный номер сертификата (HEX)"}}, legacy: true, run: noKey},
				{name: "unload_key", about: text{ru: "Удалить загруженные ключи по идентификатору"}, args: []argument{{name: "id", about: "Идентификатор ключа"}}, legacy: true, run: noKey},
			},
		},
		{
			name: "ftjc", about: text{ru: "Плагин для работы с токенами FT Javacard (прежний формат)"},
			functions: []function{
				{name: "list_all_keys", about: text{ru: "Получить список всех ключей"}, args: []argument{{name: "exceptCards", optional: true, about: "Карты, которые не нужны"}}, legacy: true, run: empty("tokens")},
				{name: "list_tokens", about: text{ru: "Получить список токенов"}, legacy: true, run: empty("tokens")},
				{name: "load_key", about: text{ru: "Загрузить ключ и получить идентификатор ключа"}, args: []argument{{name: "cardUID", about: "Идентификатор карты"}}, legacy: true, run: noKey},
				{name: "unload_key", about: text{ru: "Удалить загруженные ключи по идентификатору"}, args: tokenID, legacy: true, run: noKey},
				{name: "verify_pin", about: text{ru: "Проверить PIN-код"}, args: append(tokenID[:1:1], argument{name: "pinType", about: "Вид PIN-кода: 0, 1 или 2"}), legacy: true, run: noKey},
				{name: "change_pin", about: text{ru: "Изменить PIN-код"}, args: append(tokenID[:1:1], argument{name: "pinType", about: "Вид PIN-кода: 0, 1 или 2"}), legacy: true, run: noKey},
				{name: "set_name", about: text{ru: "Изменить имя токена"}, args: append(tokenID[:1:1], argument{name: "name", about: "Имя"}), legacy: true, run: noKey},
				{name: "store_certificates", about: text{ru: "Записать сертификаты"}, args: append(tokenID[:1:1], argument{name: "subject_certificate_64", about: "Сертификат субъекта в кодировке BASE64"}, argument{name: "ca_certificate_64", about: "Сертификат Центра Регистрации в кодировке BASE64"}, argument{name: "root_certificate_64", about: "Корневой сертификат в кодировке BASE64"}), legacy: true, run: noKey},
				{name: "get_user_data", about: text{ru: "Прочитать данные пользователя"}, args: tokenID, legacy: true, run: noKey},
				{name: "set_user_data", about: text{ru: "Записать данные пользователя"}, args: append(tokenID[:1:1], argument{name: "data_64", about: "Данные в кодировке BASE64"}), legacy: true, run: noKey},
				{name: "get_random_data", about: text{ru: "Получить случайные данные"}, args: tokenID, legacy: true, run: noKey},
				{name: "install_applet", about: text{ru: "Установить апплет"}, args: []argument{{name: "cardUID", about: "Идентификатор карты"}, {name: "applet_64", about: "Апплет в кодировке BASE64"}, {name: "signature_hex", about: "Подпись апплета (HEX)"}}, legacy: true, run: noKey},
			},
		},
	}
}

var tokenID = []argument{{name: "tokenId", about: "Идентификатор токена"}}
