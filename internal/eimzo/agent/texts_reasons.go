package agent

// Reasons of refusals that the original has no number for: they come with
// -9999, and the words are ours.
var (
	textReasonNeedsTrustStore = text{
		ru: "Для проверки документа нужно хранилище доверенных сертификатов: его идентификатор даёт open_truststore",
		uz: "Hujjatni tekshirish uchun ishonchli sertifikatlar ombori kerak: uning identifikatorini open_truststore beradi",
		en: "the check of a document needs a trust store: open_truststore gives its id",
	}
	textReasonWrongDocumentKind = text{
		ru: "Документ не того вида, который принимает эта функция (attached или detached)",
		uz: "Hujjat bu funksiya qabul qiladigan turda emas (attached yoki detached)",
		en: "the document is not of the kind that this function takes, attached or detached",
	}
	textReasonCannotAddSignature = text{
		ru: "К этому документу нельзя добавить подпись",
		uz: "Bu hujjatga imzo qo‘shib bo‘lmaydi",
		en: "no signature can be added to this document",
	}
	textReasonNotTimeStampToken = text{
		ru: "Это не токен метки времени",
		uz: "Bu vaqt belgisi tokeni emas",
		en: "this is no timestamp token",
	}
	textReasonForeignTimeStamp = text{
		ru: "Метка времени относится к другой подписи",
		uz: "Vaqt belgisi boshqa imzoga tegishli",
		en: "the timestamp is not of this signature",
	}
	textReasonCannotAddTimeStamp = text{
		ru: "В этот документ нельзя вставить метку времени",
		uz: "Bu hujjatga vaqt belgisini qo‘yib bo‘lmaydi",
		en: "the timestamp cannot be put into this document",
	}
	textReasonNoSuchSigner = text{
		ru: "В документе нет подписи с таким серийным номером",
		uz: "Hujjatda bunday seriya raqamli imzo yo‘q",
		en: "no signer of the document has this serial number",
	}
	textReasonNoSubject = text{
		ru: "В файле ключа нет сертификата, из которого можно взять имя",
		uz: "Kalit faylida ism olinadigan sertifikat yo‘q",
		en: "the key file has no certificate to take the name from",
	}
	textReasonNoTimeStampAuthority = text{
		ru: "Служба меток времени не задана: см. --tsa",
		uz: "Vaqt belgisi xizmati berilmagan: --tsa ga qarang",
		en: "no timestamp authority is set: see --tsa",
	}
	textReasonForeignTimeStampAuthority = text{
		ru: "Адрес службы меток времени не совпадает с заданным",
		uz: "Vaqt belgisi xizmatining manzili berilganiga mos kelmaydi",
		en: "this address of a timestamp authority is not the one that is set",
	}
	textReasonNoTimeStamp = text{
		ru: "Служба меток времени не выдала токен",
		uz: "Vaqt belgisi xizmati token bermadi",
		en: "the timestamp authority gave no token",
	}
	textReasonNoCertificate = text{
		ru: "В файле ключа нет сертификата этого ключа",
		uz: "Kalit faylida bu kalitning sertifikati yo‘q",
		en: "the key file has no certificate of the key",
	}
	textReasonNoOwnSignature = text{
		ru: "В документе нет подписи этого ключа",
		uz: "Hujjatda bu kalitning imzosi yo‘q",
		en: "the document has no signature of this key",
	}
	textReasonKeyIsForeign = text{
		ru: "Ключ не по O'z DSt 1092 или O'z MSt 286",
		uz: "Kalit O'z DSt 1092 yoki O'z MSt 286 bo‘yicha emas",
		en: "the key is not of O'z DSt 1092 or O'z MSt 286",
	}
	textReasonWrongDigest = text{
		ru: "Хеш должен содержать %d байт, а не %d",
		uz: "Xesh %d bayt bo‘lishi kerak, %d emas",
		en: "a digest has %d octets, not %d",
	}
	textReasonCertificateKeyIsForeign = text{
		ru: "Ключ сертификата не по O'z DSt 1092 или O'z MSt 286",
		uz: "Sertifikat kaliti O'z DSt 1092 yoki O'z MSt 286 bo‘yicha emas",
		en: "the certificate's key is not of O'z DSt 1092 or O'z MSt 286",
	}
	textReasonNotBase64 = text{
		ru: "Аргумент не является строкой base64: %s",
		uz: "Argument base64 emas: %s",
		en: "an argument is not base64: %s",
	}
	textReasonNotHex = text{
		ru: "Аргумент не состоит из чётного числа шестнадцатеричных цифр",
		uz: "Argument juft sondagi o‘n oltilik raqamlardan iborat emas",
		en: "an argument is not an even number of hexadecimal digits",
	}
	textReasonKeyFileNotRenewed = text{
		ru: "Файл ключа не удалось создать заново: он остался прежним",
		uz: "Kalit faylini qaytadan yaratib bo‘lmadi: u avvalgidek qoldi",
		en: "the key file cannot be written anew: it is as it was",
	}
	textReasonKeyFileNotReplaced = text{
		ru: "Файл ключа не удалось записать: он остался прежним",
		uz: "Kalit faylini yozib bo‘lmadi: u avvalgidek qoldi",
		en: "the key file cannot be written: it is as it was",
	}
	textReasonKeyFileNotMadeOf = text{
		ru: "Из этих сертификатов не удалось создать файл ключа",
		uz: "Bu sertifikatlardan kalit faylini yaratib bo‘lmadi",
		en: "the key file cannot be made of these certificates",
	}
	textReasonKeyFileNotWritten = text{
		ru: "Файл ключа не удалось записать",
		uz: "Kalit faylini yozib bo‘lmadi",
		en: "the key file cannot be written",
	}
	textReasonKeyFileNotMade = text{
		ru: "Файл ключа не удалось создать",
		uz: "Kalit faylini yaratib bo‘lmadi",
		en: "the key file cannot be made",
	}
	textReasonLongCertificate = text{
		ru: "Сертификат длиннее %d символов",
		uz: "Sertifikat %d belgidan uzun",
		en: "the certificate is longer than %d characters",
	}
	textReasonManyCertificates = text{
		ru: "Сертификатов %d, а должен быть один",
		uz: "Sertifikatlar soni %d, bitta bo‘lishi kerak",
		en: "%d certificates where there should be one",
	}
	textReasonNotCertificate = text{
		ru: "Это не сертификат: нужен base64 от DER или PEM",
		uz: "Bu sertifikat emas: DER’ning base64 ko‘rinishi yoki PEM kerak",
		en: "this is no certificate: give it as base64 of DER, or as PEM",
	}
	textReasonLongArgument = text{
		ru: "Аргумент длиннее %d символов",
		uz: "Argument %d belgidan uzun",
		en: "an argument is longer than %d characters",
	}
	textReasonTooManyEnrolments = text{
		ru: "Слишком много ключей ожидают сертификатов",
		uz: "Sertifikatini kutayotgan kalitlar juda ko‘p",
		en: "too many keys are waiting for their certificates",
	}
	textReasonNotName = text{
		ru: "Имя X.500 не читается: нужен вид CN=...,O=...,C=UZ",
		uz: "X.500 nomini o‘qib bo‘lmadi: CN=...,O=...,C=UZ ko‘rinishida bering",
		en: "the X.500 name cannot be read: give it as CN=...,O=...,C=UZ",
	}
	textReasonNotCRL = text{
		ru: "Это не список отозванных сертификатов (CRL)",
		uz: "Bu bekor qilingan sertifikatlar ro‘yxati (CRL) emas",
		en: "this is no CRL",
	}
	textReasonCRLNotFound = text{
		ru: "Список отозванных сертификатов (CRL) по идентификатору не найден",
		uz: "Bekor qilingan sertifikatlar ro‘yxati (CRL) identifikator bo‘yicha topilmadi",
		en: "there is no CRL with this id",
	}
	textReasonCRLTellsNothing = text{
		ru: "Список (CRL) ничего не говорит об этом сертификате: %s",
		uz: "Ro‘yxat (CRL) bu sertifikat haqida hech narsa demaydi: %s",
		en: "the CRL tells nothing of this certificate: %s",
	}
)
