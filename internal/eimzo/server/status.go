package server

import (
	"imzo/verify"
)

// Status numbers of the guide (2.2.2, 2.2.4).
const (
	statusOK          = 1
	statusUnknown     = -1  // certificate status could not be checked
	statusTime        = -5  // signing time outside the window (auth)
	statusSignature   = -10 // signature invalid
	statusCertificate = -11 // certificate invalid
	statusValidity    = -12 // certificate not valid at the signing date
	statusChallenge   = -20 // challenge unknown, used or expired (auth)
	tsaUnknown        = -20 // status of the TSA's certificate could not be checked
	tsaSignature      = -21 // timestamp's signature or imprint invalid
	tsaCertificate    = -22 // TSA's certificate invalid
	tsaValidity       = -23 // TSA's certificate not valid at the signing date
)

// Message names a sentence for people that goes with a status. Sites show it
// as "status - message".
type Message string

// The messages. Several may go with one status.
const (
	MessageNone                Message = ""
	MessageStatusUnknown       Message = "statusUnknown"
	MessageSigningTime         Message = "signingTime"
	MessageSignature           Message = "signature"
	MessageCertificate         Message = "certificate"
	MessageValidity            Message = "validity"
	MessageChallenge           Message = "challenge"
	MessageTSAStatusUnknown    Message = "tsaStatusUnknown"
	MessageTSASignature        Message = "tsaSignature"
	MessageTSACertificate      Message = "tsaCertificate"
	MessageTSAValidity         Message = "tsaValidity"
	MessageNotPKCS7            Message = "notPKCS7"
	MessageAlreadyAttached     Message = "alreadyAttached"
	MessageNotAttached         Message = "notAttached"
	MessageDocumentDiffers     Message = "documentDiffers"
	MessageDocumentsDiffer     Message = "documentsDiffer"
	MessageTimestampImpossible Message = "timestampImpossible"
)

// russian are the texts of the guide's tables, and in their manner those of
// what the tables do not distinguish.
var russian = map[Message]string{
	MessageNone:                "",
	MessageStatusUnknown:       "Не удалось проверить статус сертификата. Посмотрите лог E-IMZO-SERVER.",
	MessageSigningTime:         "Время подписи недействительна. Проверьте дату и время компьютера пользователя.",
	MessageSignature:           "ЭЦП недействительна",
	MessageCertificate:         "Сертификат недействителен",
	MessageValidity:            "Сертификат недействителен на дату подписи",
	MessageChallenge:           "Не найден challenge или срок его истек. Повторите заново.",
	MessageTSAStatusUnknown:    "Не удалось проверить статус сертификата Timestamp. Посмотрите лог E-IMZO-SERVER.",
	MessageTSASignature:        "ЭЦП или хеш Timestamp недействительна",
	MessageTSACertificate:      "Сертификат Timestamp недействителен",
	MessageTSAValidity:         "Сертификат Timestamp недействителен на дату подписи",
	MessageNotPKCS7:            "Документ не является PKCS#7",
	MessageAlreadyAttached:     "Документ PKCS#7 уже содержит исходные данные",
	MessageNotAttached:         "Документ PKCS#7 не содержит исходных данных",
	MessageDocumentDiffers:     "Исходный документ не соответствует подписанному",
	MessageDocumentsDiffer:     "Документы PKCS#7 содержат разные исходные данные",
	MessageTimestampImpossible: "К этому документу нельзя присоединить Timestamp",
}

// RussianMessages is the default of Deps.Messages.
func RussianMessages(m Message) string { return russian[m] }

// outcome is a status with its message: what a reply says of a document.
type outcome struct {
	status  int
	message Message
}

var (
	success             = outcome{statusOK, MessageNone}
	challengeNotFound   = outcome{statusChallenge, MessageChallenge}
	outsideWindow       = outcome{statusTime, MessageSigningTime}
	signatureInvalid    = outcome{statusSignature, MessageSignature}
	certificateInvalid  = outcome{statusCertificate, MessageCertificate}
	certificateTooOld   = outcome{statusValidity, MessageValidity}
	statusNotKnown      = outcome{statusUnknown, MessageStatusUnknown}
	tokenInvalid        = outcome{tsaSignature, MessageTSASignature}
	tsaInvalid          = outcome{tsaCertificate, MessageTSACertificate}
	tsaTooOld           = outcome{tsaValidity, MessageTSAValidity}
	tsaStatusNotKnown   = outcome{tsaUnknown, MessageTSAStatusUnknown}
	notPKCS7            = outcome{statusSignature, MessageNotPKCS7}
	alreadyAttached     = outcome{statusSignature, MessageAlreadyAttached}
	notAttached         = outcome{statusSignature, MessageNotAttached}
	documentDiffers     = outcome{statusSignature, MessageDocumentDiffers}
	documentsDiffer     = outcome{statusSignature, MessageDocumentsDiffer}
	timestampImpossible = outcome{statusSignature, MessageTimestampImpossible}
)

// meaning is what the failure of a check is called: as a check of a signer, as
// one of a timestamp token, and as either in the answer to a challenge, where
// the guide knows no statuses of timestamps and -20 means another thing.
type meaning struct{ signer, token, auth outcome }

// meanings is the one place where checks become status numbers.
var meanings = map[verify.CheckName]meaning{
	verify.CheckFormat:             {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckImprint:            {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSignerCertificate:  {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSignedAttributes:   {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckDigest:             {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSignature:          {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckSigningTime:        {signatureInvalid, tokenInvalid, signatureInvalid},
	verify.CheckPath:               {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckBag:                {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckKeyUsage:           {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckValidity:           {certificateTooOld, tsaTooOld, certificateTooOld},
	verify.CheckRevocation:         {certificateInvalid, tsaInvalid, certificateInvalid},
	verify.CheckUnsignedAttributes: {tokenInvalid, tokenInvalid, signatureInvalid},
}

// unknowns are the meanings of a check that could not be made for now.
var unknowns = meaning{statusNotKnown, tsaStatusNotKnown, statusNotKnown}

// place is where a check stands.
type place int

const (
	inSigner place = iota
	inToken
	inAuth
)

// at picks the outcome for a place.
func (m meaning) at(p place) outcome {
	switch p {
	case inToken:
		return m.token
	case inAuth:
		return m.auth
	}
	return m.signer
}

// outcomeOf returns what the failure of a check means. A check this table does
// not know is a reason to refuse all the same.
func outcomeOf(c verify.Check, p place) outcome {
	if c.Result == verify.Indeterminate {
		return unknowns.at(p)
	}
	m, ok := meanings[c.Name]
	if !ok {
		m = meaning{signatureInvalid, tokenInvalid, signatureInvalid}
	}
	return m.at(p)
}

// judgeDocument returns the outcome of a report for /backend/pkcs7/verify: the
// first failure of the first signer with one. failure is nil on success.
func judgeDocument(r *verify.Report) (o outcome, failure *verify.Failure) {
	if r.Valid() {
		return success, nil
	}
	failure = r.FirstFailure()
	where := inSigner
	if failure.TimeStamp >= 0 {
		where = inToken
	}
	return outcomeOf(failure.Check, where), failure
}

// judgeAnswer does the same for /backend/auth. A timestamp is not needed
// there, but one that is wrong makes the answer wrong.
func judgeAnswer(r *verify.Report) (o outcome, failure *verify.Failure) {
	if r.Valid() {
		return success, nil
	}
	failure = r.FirstFailure()
	return outcomeOf(failure.Check, inAuth), failure
}
