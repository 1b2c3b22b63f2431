package agent

import "imzo/internal/eimzo/tunnel"

// Texts of tunnels: they come with -9999. Those of the original are to the
// letter, "туннела" too.
var (
	textTunnelNoAddress = text{
		ru: "Не удалось определить IP-адрес и TCP-порт туннеля для домена %s.",
		uz: "%s domeni uchun tunnelning IP-manzili va TCP-portini aniqlab bo‘lmadi.",
		en: "The IP address and TCP port of the tunnel of the domain %s are not known.",
	}
	textTunnelForeignCertificate = text{
		ru: "Несоответствующий сертификат туннела к домену %s",
		uz: "Tunnel sertifikati %s domeniga mos kelmaydi",
		en: "The certificate of the tunnel is not of the domain %s",
	}
	textTunnelFailed = text{
		ru: "Ошибка установления туннеля: %s",
		uz: "Tunnel o‘rnatishda xatolik: %s",
		en: "The tunnel cannot be made: %s",
	}
	textTunnelDestination = text{
		ru: "Параметр dst_id принимает значение от 0 до 255.",
		uz: "dst_id parametri 0 dan 255 gacha qiymat qabul qiladi.",
		en: "The parameter dst_id is 0 to 255.",
	}
	textDomainIsNotKnown = text{
		ru: "Не удалось определить домен.",
		uz: "Domenni aniqlab bo‘lmadi.",
		en: "The domain cannot be found out.",
	}
)

// Reasons within [textTunnelFailed] that are not an alert of the protocol.
var (
	textTunnelNoAnchors = text{
		ru: "нет доверенных корневых сертификатов, чтобы проверить сервер: см. --trust",
		uz: "serverni tekshirish uchun ishonchli ildiz sertifikatlari yo‘q: --trust ga qarang",
		en: "there are no trusted root certificates to check the server by: see --trust",
	}
	textTunnelTooMany = text{
		ru: "открыто слишком много туннелей, закройте ненужные",
		uz: "ochiq tunnellar juda ko‘p, keraksizlarini yoping",
		en: "too many tunnels are open, close those not needed",
	}
	textTunnelNoServer = text{
		ru: "сервер туннеля не отвечает, проверьте сеть и адрес туннеля",
		uz: "tunnel serveri javob bermayapti, tarmoq va tunnel manzilini tekshiring",
		en: "the tunnel's server does not answer, check the network and the tunnel's address",
	}
	textTunnelBroken = text{
		ru: "соединение с сервером туннеля прервалось, попробуйте ещё раз",
		uz: "tunnel serveri bilan aloqa uzildi, qayta urinib ko‘ring",
		en: "the connection to the tunnel's server broke off, try again",
	}
	textTunnelNoPort = text{
		ru: "на этом компьютере нет свободного порта",
		uz: "bu kompyuterda bo‘sh port yo‘q",
		en: "there is no free port on this computer",
	}
	// The key of a page signs what a server takes for the person's word.
	textReasonTunnelProof = text{
		ru: "Эти данные подписывает только сам агент, когда создаёт туннель",
		uz: "Bu ma’lumotni faqat agentning o‘zi tunnel yaratayotganda imzolaydi",
		en: "only the agent itself signs these data, when it makes a tunnel",
	}
)

// alertText says what an alert means and what helps: as this end found it, and
// as the server said it.
type alertText struct{ found, told text }

// both is an alert that means the same from either end.
func both(t text) alertText { return alertText{t, t} }

var tunnelAlerts = map[tunnel.Alert]alertText{
	tunnel.AlertInternal: {
		found: text{
			ru: "внутренняя ошибка, подробности в журнале программы",
			uz: "ichki xato, tafsilotlar dastur jurnalida",
			en: "internal error, see the log of the program",
		},
		told: text{
			ru: "внутренняя ошибка сервера, сообщите владельцу сайта",
			uz: "serverning ichki xatosi, sayt egasiga xabar bering",
			en: "internal error of the server, tell the site's owner",
		},
	},
	tunnel.AlertProtocol: both(text{
		ru: "сервер и агент не понимают друг друга: по этому адресу не сервер туннеля Imzo",
		uz: "server va agent bir-birini tushunmayapti: bu manzilda Imzo tunneli serveri emas",
		en: "server and agent do not understand each other: no server of Imzo's tunnel is at this address",
	}),
	tunnel.AlertVersion: both(text{
		ru: "у сервера и агента нет общей версии протокола, обновите агент",
		uz: "server va agentda umumiy protokol versiyasi yo‘q, agentni yangilang",
		en: "server and agent have no protocol version in common, update the agent",
	}),
	tunnel.AlertSuite: both(text{
		ru: "у сервера и агента нет общих алгоритмов, обновите агент",
		uz: "server va agentda umumiy algoritmlar yo‘q, agentni yangilang",
		en: "server and agent have no algorithms in common, update the agent",
	}),
	tunnel.AlertRecord: both(text{
		ru: "данные изменены в пути: кто-то вмешивается в соединение",
		uz: "ma’lumotlar yo‘lda o‘zgartirilgan: kimdir ulanishga aralashmoqda",
		en: "data were changed on the way: somebody meddles with the connection",
	}),
	tunnel.AlertDomain: both(text{
		ru: "сервер не обслуживает этот домен, проверьте адрес туннеля",
		uz: "server bu domenga xizmat ko‘rsatmaydi, tunnel manzilini tekshiring",
		en: "the server does not serve this domain, check the tunnel's address",
	}),
	tunnel.AlertUntrusted: {
		found: text{
			ru: "сертификат сервера выдан не доверенным центром",
			uz: "server sertifikati ishonchli markaz tomonidan berilmagan",
			en: "the server's certificate is not of a trusted CA",
		},
		told: text{
			ru: "сервер не доверяет центру, выдавшему ваш сертификат, выберите другой ключ",
			uz: "server sizning sertifikatingizni bergan markazga ishonmaydi, boshqa kalitni tanlang",
			en: "the server does not trust the CA of your certificate, choose another key",
		},
	},
	tunnel.AlertExpired: {
		found: text{
			ru: "сертификат сервера сейчас не действует, проверьте дату на этом компьютере",
			uz: "server sertifikati hozir amal qilmaydi, kompyuterdagi sanani tekshiring",
			en: "the server's certificate is not valid now, check the date of this computer",
		},
		told: text{
			ru: "срок вашего сертификата истёк или не наступил, выберите другой ключ",
			uz: "sertifikatingiz muddati tugagan yoki boshlanmagan, boshqa kalitni tanlang",
			en: "your certificate is not valid at this time, choose another key",
		},
	},
	tunnel.AlertRevoked: {
		found: text{
			ru: "сертификат сервера отозван, сообщите владельцу сайта",
			uz: "server sertifikati bekor qilingan, sayt egasiga xabar bering",
			en: "the server's certificate is revoked, tell the site's owner",
		},
		told: text{
			ru: "ваш сертификат отозван, выберите другой ключ",
			uz: "sertifikatingiz bekor qilingan, boshqa kalitni tanlang",
			en: "your certificate is revoked, choose another key",
		},
	},
	tunnel.AlertStatus: {
		found: text{
			ru: "не удалось узнать, не отозван ли сертификат сервера, попробуйте позже",
			uz: "server sertifikati bekor qilinmaganini bilib bo‘lmadi, keyinroq urinib ko‘ring",
			en: "whether the server's certificate is revoked cannot be found out, try again later",
		},
		told: text{
			ru: "сервер не смог узнать, не отозван ли ваш сертификат, попробуйте позже",
			uz: "server sertifikatingiz bekor qilinmaganini bila olmadi, keyinroq urinib ko‘ring",
			en: "the server cannot find out whether your certificate is revoked, try again later",
		},
	},
	tunnel.AlertName: {
		// Found, it is textTunnelForeignCertificate.
		told: text{
			ru: "сервер не принимает ваш сертификат для этого домена",
			uz: "server sertifikatingizni bu domen uchun qabul qilmaydi",
			en: "the server does not take your certificate for this domain",
		},
	},
	tunnel.AlertProof: {
		found: text{
			ru: "сервер не доказал, что владеет ключом домена",
			uz: "server domen kalitiga ega ekanini isbotlamadi",
			en: "the server has not proven to have the key of the domain",
		},
		told: text{
			ru: "сервер не принял подпись вашего ключа",
			uz: "server kalitingiz imzosini qabul qilmadi",
			en: "the server does not take the signature of your key",
		},
	},
	tunnel.AlertDestination: both(text{
		ru: "на сервере нет назначения с таким dst_id",
		uz: "serverda bunday dst_id li manzil yo‘q",
		en: "the server has no destination with this dst_id",
	}),
	tunnel.AlertUnreachable: both(text{
		ru: "сервер не смог соединиться с назначением dst_id, попробуйте позже",
		uz: "server dst_id manziliga ulana olmadi, keyinroq urinib ko‘ring",
		en: "the server cannot reach the destination of dst_id, try again later",
	}),
	tunnel.AlertBusy: both(text{
		ru: "на сервере слишком много туннелей, попробуйте позже",
		uz: "serverda tunnellar juda ko‘p, keyinroq urinib ko‘ring",
		en: "the server has too many tunnels, try again later",
	}),
	tunnel.AlertTimeout: both(text{
		ru: "время ожидания истекло, попробуйте ещё раз",
		uz: "kutish vaqti tugadi, qayta urinib ko‘ring",
		en: "it took too long, try again",
	}),
	tunnel.AlertIdle: both(text{
		ru: "туннелем долго не пользовались",
		uz: "tunneldan uzoq vaqt foydalanilmadi",
		en: "the tunnel was idle for too long",
	}),
	tunnel.AlertStopping: {
		found: text{
			ru: "агент завершает работу",
			uz: "agent ishini tugatmoqda",
			en: "the agent shuts down",
		},
		told: text{
			ru: "сервер завершает работу, попробуйте позже",
			uz: "server ishini tugatmoqda, keyinroq urinib ko‘ring",
			en: "the server shuts down, try again later",
		},
	},
	tunnel.AlertAborted: both(textTunnelBroken),
}
