package agent

// The texts of refusals, by the numbers they come with (agent protocol,
// status codes of 6.4.7). Pages compare some of them to the letter. The English
// ones are ours.
var (
	// 0
	textNoFunction = text{
		ru: "Функция не найдена или версия E-IMZO устарела. Обновите E-IMZO.",
		uz: "Funktsiya topilmadi yoki E-IMZO versiyasi eski. Yangi versiyani o‘rnating.",
		en: "There is no such function, or E-IMZO is out of date. Update E-IMZO.",
	}
	// -1002
	textInvalidArgPath = text{
		ru: "Аргумент path недействителен",
		uz: "Noaniq parametr path",
		en: "The argument path is invalid",
	}
	// -1003
	textFileNameHasBadChars = text{
		ru: "Имя файла содержит неразрешенные символы",
		uz: "Fayl nomida ruxsat etilmagan belgilar mavjud",
		en: "The file name has characters that are not allowed",
	}
	// -1004 (save_pfx), -2009 (save_temporary_pfx, save_ytks)
	textFileExistsChooseOtherName = text{
		ru: "Файл уже существует, выберите другое имя файла",
		uz: "Fayl allaqachon mavjud, boshqa nom tanlang",
		en: "The file exists already, choose another name",
	}
	// -1005
	textInvalidLangCode = text{
		ru: "Недействительный код языка",
		uz: "Til kodi noaniq",
		en: "Invalid language code",
	}
	// -1010
	textKeyIdIsNotFound = text{
		ru: "Ключ по идентификатору не найден",
		uz: "KeyID identifikatorlik kalit topilmadi",
		en: "There is no key with this id",
	}
	// -1011
	textKeyPairByIdIsNotFound = text{
		ru: "Ключевая пара по идентификатору не найдена",
		uz: "Identifikator bo‘yicha kalit juftligi topilmadi",
		en: "There is no key pair with this id",
	}
	// -1013 (ytks), -1014 (pfx)
	textKeyIdOfTypeSIsNotFound = text{
		ru: "Идентификатор ключа типа '%s' не найден",
		uz: "’%s’ turidagi kalit identifikatori topilmadi",
		en: "There is no key id of the type '%s'",
	}
	// -1015
	textKeyIdIsNotSupported = text{
		ru: "Несоответствующий ключу идентификатор",
		uz: "KeyID identifikator qo’llab-quvvatlanilmaydi",
		en: "The id does not fit the key",
	}
	// -1016
	textKeyIdDoesNotMatch = text{
		ru: "Несоответствующий идентификатор ключа",
		uz: "Mos kelmaydigan kalit identifikatori",
		en: "The id of the key does not fit",
	}
	// -1018
	textKeyIdIsNotSupportedForCertificate = text{
		ru: "Несоответствующий сертификату идентификатор",
		uz: "Sertifikat uchun mos kelmaydigan identifikator",
		en: "The id does not fit a certificate",
	}
	// -1020 (apikey call), -1022 (gate)
	textApiKeyForDomainSIsInvalid = text{
		ru: "API-key для домена %s недействителен.",
		uz: "Domen %s uchun API-kalit yaroqsiz.",
		en: "The API key for the domain %s is invalid.",
	}
	// -1023
	textCertificatePoliciesOidsAreNotPassed = text{
		ru: "OIDы политик применения сертификатов не переданы",
		uz: "Sertifikat siyosatlari uchun OIDlar uzatilmagan",
		en: "No certificate policy OIDs were given",
	}
	// -1028
	textFailedToOpenPkcs10 = text{
		ru: "Не удалось открыть запрос PKCS#10, требуется передать запрос в формате PEM или BASE64",
		uz: "PKCS#10 so‘rovini ochib bo‘lmadi, so‘rov PEM yoki BASE64 formatida bo‘lishi kerak",
		en: "The PKCS#10 request cannot be read: give it as PEM or base64",
	}
	// -1029
	textInvalidArgSeed = text{
		ru: "Передан неопределенный источник seed",
		uz: "Seed manbasi aniqlanmagan",
		en: "Unknown source of the seed",
	}
	// -2002 (pfx), -2010 (ytks)
	textKeyFileIsMissing = text{
		ru: "Файл ключа не существует",
		uz: "Kalit fayli mavjud emas",
		en: "The key file does not exist",
	}
	// -2006
	textCertificateSIsNotFoundInPfxS = text{
		ru: "Сертификат с именем [%s] не найден в PFX-файле %s",
		uz: "[%s] nomli sertifikat %s PFX-faylida topilmadi",
		en: "There is no certificate named [%s] in the PFX file %s",
	}
	// -2011
	textDiskIsNotFound = text{
		ru: "Диск не найден",
		uz: "Disk topilmadi",
		en: "There is no such disk",
	}
	// -2012
	textKeyFileIsAlreadyExistsS = text{
		ru: "Файл ключа уже существует: %s",
		uz: "Kalit fayli allaqachon mavjud: %s",
		en: "The key file exists already: %s",
	}
	// -2020
	textPublicKeyDoesNotMatch = text{
		ru: "Открытый ключ сертификата не подходит для закрытого ключа. Требуется X:0x%s,Y:0x%s получено X:0x%s,Y:0x%s",
		uz: "Sertifikatning ochiq kaliti yangi yaratilgan yopiq kalitga mos tushmadi. Talab etiladi X:0x%s,Y:0x%s yaratilgan X:0x%s,Y:0x%s",
		en: "The public key of the certificate does not fit the private key. Wanted X:0x%s,Y:0x%s, got X:0x%s,Y:0x%s",
	}
	// -2021
	textPublicKeyDoesNotMatchToPrivateKey = text{
		ru: "Открытый ключ сертификата не подходит для закрытого ключа.",
		uz: "Sertifikatning ochiq kaliti yangi yaratilgan yopiq kalitga mos tushmadi.",
		en: "The public key of the certificate does not fit the private key.",
	}
	// -2023
	textInvalidCertificatePolicyOidPassed = text{
		ru: "Передан недействительный OID политики применения сертификатов",
		uz: "Yaroqsiz sertifikat siyosati OID yuborilgan",
		en: "An invalid certificate policy OID was given",
	}
	// -2024
	textCertificateSIsNotFoundInYksS = text{
		ru: "Сертификат с именем [%s] не найден в YKS-файле %s",
		uz: "[%s] nomli sertifikat %s YKS-faylida topilmadi",
		en: "There is no certificate named [%s] in the YKS file %s",
	}
	// -2025
	textProcessIdentifierIsNotFound = text{
		ru: "Идентификатор процесса GUID не найден",
		uz: "Jarayon GUID identifikatori topilmadi",
		en: "There is no process with this GUID",
	}
	// -2026
	textProcessIdAlreadyExists = text{
		ru: "Идентификатор процесса GUID уже существует",
		uz: "Jarayon GUID identifikatori allaqachon mavjud",
		en: "There is a process with this GUID already",
	}
	// -3000
	textInProcess = text{
		ru: "В процессе обработки запроса",
		uz: "So‘rov qayta ishlanmoqda",
		en: "The request is being worked on",
	}
	// -3001
	textWaitingUserInput = text{
		ru: "В ожидании ввода пользователя",
		uz: "Foydalanuvchi kiritishini kutmoqda",
		en: "Waiting for the person",
	}
	// -5000
	textPasswordEnterCanceled = text{
		ru: "Ввод пароля отменен",
		uz: "O’ron kiritilishi bekor qilindi",
		en: "The password was not entered",
	}
	// -5001
	textOperationCanceled = text{
		ru: "Операция отменена",
		uz: "Bekor qilindi",
		en: "The operation was cancelled",
	}
	// -5003
	textPlugInUsbDiskAndRetry = text{
		ru: "Присоедините USB-диск и повторите попытку",
		uz: "USB-diskni ulang va qayta urinib ko‘ring",
		en: "Plug in a USB disk and try again",
	}
	// -5004
	textNewPasswordsDoNotMatch = text{
		ru: "Новые пароли не соответствуют",
		uz: "Yangi o’ronlar mos kelmayapti",
		en: "The new passwords differ",
	}
	// -9000
	textFailedToCreateDir = text{
		ru: "Ошибка при создании директории",
		uz: "Jild yaratishda xatolik",
		en: "The folder cannot be made",
	}
	// -9999, what nobody foresaw: the cause is in the log.
	textInternal = text{
		ru: "Внутренняя ошибка, подробности в журнале программы",
		uz: "Ichki xato, tafsilotlar dastur jurnalida",
		en: "Internal error, see the log of the program",
	}
)
