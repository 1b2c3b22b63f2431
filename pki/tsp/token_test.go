package tsp

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
	"imzo/pki/cms"
)

func TestParseTokenReadsEveryPart(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	name := func(tlv []byte) []byte { return ber.Tagged(ber.ContextConstructed(0), tlv) }
	accuracy := func(parts ...[]byte) []byte { return ber.Sequence(parts...) }
	millis, micros := ber.Tagged(ber.Context(0), []byte{3, 0xe7}), ber.Tagged(ber.Context(1), []byte{7})
	for _, tt := range []struct {
		name  string
		info  tstInfo
		check func(TSTInfo) bool
	}{
		{"as it is", tstInfo{}, func(i TSTInfo) bool {
			return i.Accuracy == 0 && !i.Ordering && i.TSA == nil && i.Nonce.Int64() == 0x5eed && i.Serial.Cmp(testSerial) == 0 && i.Policy.String() == testPolicy
		}},
		{"without nonce", tstInfo{nonce: []byte{}}, func(i TSTInfo) bool { return i.Nonce == nil }},
		{"negative nonce", tstInfo{nonce: ber.Int64(-1)}, func(i TSTInfo) bool { return i.Nonce.Int64() == -1 }},
		{"fractions of seconds", tstInfo{genTime: ber.Tagged(ber.TagGeneralizedTime, []byte("20260101120000.123456Z"))}, func(i TSTInfo) bool {
			return i.GenTime.Equal(testpki.DefaultNow().Add(123456 * time.Microsecond))
		}},
		{"ordering", tstInfo{ordering: ber.Bool(true)}, func(i TSTInfo) bool { return i.Ordering }},
		{"ordering FALSE", tstInfo{ordering: ber.Bool(false)}, func(i TSTInfo) bool { return !i.Ordering }},
		{"seconds", tstInfo{accuracy: accuracy(ber.Int64(60))}, func(i TSTInfo) bool { return i.Accuracy == time.Minute }},
		{"all units", tstInfo{accuracy: accuracy(ber.Int64(1), millis, micros)}, func(i TSTInfo) bool {
			return i.Accuracy == time.Second+999*time.Millisecond+7*time.Microsecond
		}},
		{"empty accuracy", tstInfo{accuracy: accuracy()}, func(i TSTInfo) bool { return i.Accuracy == 0 }},
		{"zero serial", tstInfo{serial: ber.Int64(0)}, func(i TSTInfo) bool { return i.Serial.Sign() == 0 }},
		{"160-bit serial", tstInfo{serial: ber.Int(new(big.Int).Lsh(big.NewInt(1), 159))}, func(i TSTInfo) bool { return i.Serial.BitLen() == 160 }},
		{"extension", tstInfo{extensions: ber.Tagged(ber.ContextConstructed(1), extension("1.2.3", false, nil))}, func(TSTInfo) bool { return true }},
		{"URI", tstInfo{tsa: name(ber.Tagged(ber.Context(6), []byte(testName)))}, func(i TSTInfo) bool { return i.TSA.String() == "6: "+testName }},
		{"DNS name", tstInfo{tsa: name(ber.Tagged(ber.Context(2), []byte("tsa.example")))}, func(i TSTInfo) bool { return i.TSA.String() == "2: tsa.example" }},
		{"address", tstInfo{tsa: name(ber.Tagged(ber.Context(7), []byte{192, 0, 2, 1}))}, func(i TSTInfo) bool { return i.TSA.String() == "7: #c0000201" }},
		{"registered ID", tstInfo{tsa: name(ber.Tagged(ber.Context(8), ber.MustOID(testPolicy).DER()[2:]))}, func(i TSTInfo) bool { return i.TSA.String() == "8: "+testPolicy }},
		{"directory name", tstInfo{tsa: name(ber.Tagged(ber.ContextConstructed(4), w.TSA.Cert.RawSubject))}, func(i TSTInfo) bool {
			return i.TSA.String() == "4: CN=TestTSA,O=test.e-imzo.uz"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := mustParseToken(t, w.sign(t, tt.info.marshal(w.digest())))
			if !tt.check(token.Info) {
				t.Errorf("%+v", token.Info)
			}
			if err := token.VerifySignature(); err != nil {
				t.Error(err)
			}
			if err := token.CheckImprint(seal); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseTokenRefuses(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	d := w.digest()
	name := func(tlv ...[]byte) tstInfo { return tstInfo{tsa: ber.Tagged(ber.ContextConstructed(0), tlv...)} }
	extensions := func(tlv ...[]byte) tstInfo {
		return tstInfo{extensions: ber.Tagged(ber.ContextConstructed(1), tlv...)}
	}
	accuracy := func(parts ...[]byte) tstInfo { return tstInfo{accuracy: ber.Sequence(parts...)} }
	oid := ber.MustOID("1.2.3").DER()
	for label, info := range map[string]tstInfo{
		"version 2":                      {version: ber.Int64(2)},
		"version 0":                      {version: ber.Int64(0)},
		"no version":                     {version: []byte{}},
		"no policy":                      {policy: []byte{}},
		"a bad policy":                   {policy: ber.Tagged(ber.TagOID)},
		"no imprint":                     {imprint: []byte{}},
		"a bad imprint":                  {imprint: ber.Sequence()},
		"no serial":                      {serial: []byte{}, nonce: []byte{}},
		"a serial of 65 octets":          {serial: ber.Int(new(big.Int).Lsh(big.NewInt(1), 512))},
		"a serial that is not minimal":   {serial: ber.Tagged(ber.TagInteger, []byte{0, 1})},
		"no time":                        {genTime: []byte{}},
		"a UTCTime":                      {genTime: ber.UTCTime(testpki.DefaultNow())},
		"a time in no zone":              {genTime: ber.Tagged(ber.TagGeneralizedTime, []byte("20260101120000"))},
		"a time without seconds":         {genTime: ber.Tagged(ber.TagGeneralizedTime, []byte("202601011200Z"))},
		"a time with an offset":          {genTime: ber.Tagged(ber.TagGeneralizedTime, []byte("20260101170000+0500"))},
		"negative accuracy":              accuracy(ber.Int64(-1)),
		"1000 milliseconds":              accuracy(ber.Tagged(ber.Context(0), []byte{3, 0xe8})),
		"accuracy out of order":          accuracy(ber.Tagged(ber.Context(1), []byte{1}), ber.Tagged(ber.Context(0), []byte{1})),
		"accuracy beyond durations":      accuracy(ber.Int64(1 << 40)),
		"empty accuracy of milliseconds": accuracy(ber.Tagged(ber.Context(0))),
		"ordering of no octets":          {ordering: ber.Tagged(ber.TagBoolean)},
		"a nonce of 65 octets":           {nonce: ber.Int(new(big.Int).Lsh(big.NewInt(1), 512))},
		"two nonces":                     {more: ber.Int64(1)},
		"an empty name":                  name(),
		"two names":                      name(ber.Tagged(ber.Context(6)), ber.Tagged(ber.Context(6))),
		"a name of no choice":            name(ber.Tagged(ber.Context(9))),
		"a universal name":               name(ber.UTF8String("x")),
		"a URI that is no IA5String":     name(ber.Tagged(ber.Context(6), []byte{0xff})),
		"an empty directory name":        name(ber.Tagged(ber.ContextConstructed(4))),
		"two directory names":            name(ber.Tagged(ber.ContextConstructed(4), ber.Sequence(), ber.Sequence())),
		"a bad directory name":           name(ber.Tagged(ber.ContextConstructed(4), ber.Sequence(ber.Null()))),
		"a bad registered ID":            name(ber.Tagged(ber.Context(8), []byte{0x80})),
		"a critical extension":           extensions(extension("1.2.3", true, nil)),
		"an extension that is none":      extensions(ber.Null()),
		"an extension without type":      extensions(ber.Sequence()),
		"an extension of a bad boolean":  extensions(ber.Sequence(oid, ber.Tagged(ber.TagBoolean), ber.OctetString(nil))),
		"an extension without value":     extensions(ber.Sequence(oid)),
		"an extension with more":         extensions(ber.Sequence(oid, ber.OctetString(nil), ber.Null())),
		"more at the end":                {more: ber.Null()},
	} {
		if token, err := ParseToken(w.sign(t, info.marshal(d))); !errors.Is(err, ErrFormat) || token != nil {
			t.Errorf("%s: %v, %v", label, token, err)
		}
	}
	honest := tstInfo{}.marshal(d)
	for label, raw := range map[string][]byte{
		"nothing":                 nil,
		"no CMS document":         ber.Sequence(),
		"another content type":    w.sign(t, honest, func(_ *cms.Signer, o *cms.Options) { o.ContentType = cms.OIDData }),
		"no content":              w.sign(t, honest, func(_ *cms.Signer, o *cms.Options) { o.Detached = true }),
		"content that is no BER":  w.sign(t, []byte{0x30}),
		"content of another type": w.sign(t, ber.Set()),
		"empty content":           w.sign(t, nil),
		"trailing octets":         append(w.sign(t, honest), 0),
		"content with more":       w.sign(t, append(honest, 0)),
		"too large":               make([]byte, maxToken+1),
	} {
		if token, err := ParseToken(raw); !errors.Is(err, ErrFormat) || token != nil {
			t.Errorf("%s: %v, %v", label, token, err)
		}
	}
}

func TestCheckImprint(t *testing.T) {
	w := newWorld(t, "ecdsa:P-256")
	imprint := func(a alg.AlgorithmIdentifier, hash []byte) tstInfo {
		return tstInfo{imprint: ber.Sequence(a.Marshal(), ber.OctetString(hash))}
	}
	sha256 := alg.SHA256()
	for _, tt := range []struct {
		name string
		info tstInfo
		want error
	}{
		{"SHA-256", imprint(sha256.Identifier(), sha256.Sum(seal)), nil},
		{"SHA-256 with NULL", imprint(alg.NewNull(sha256.OID), sha256.Sum(seal)), nil},
		{"O'z DSt", imprint(alg.OZDST().Identifier(), alg.OZDST().Sum(seal)), nil},
		{"O'z MSt", imprint(alg.OZMST().Identifier(), alg.OZMST().Sum(seal)), nil},
		{"of another signature", imprint(sha256.Identifier(), sha256.Sum([]byte("other"))), ErrImprint},
		{"of another digest", imprint(alg.OZDST().Identifier(), sha256.Sum(seal)), ErrImprint},
		{"cut short", imprint(sha256.Identifier(), sha256.Sum(seal)[:31]), ErrImprint},
		{"empty", imprint(sha256.Identifier(), nil), ErrImprint},
		{"the message itself", imprint(sha256.Identifier(), seal), ErrImprint},
		{"digest with parameters", imprint(alg.AlgorithmIdentifier{OID: sha256.OID, Params: ber.OctetString(nil)}, sha256.Sum(seal)), ErrImprint},
		{"unknown digest", imprint(alg.New(ber.MustOID("1.2.3")), sha256.Sum(seal)), alg.ErrUnsupported},
	} {
		token := mustParseToken(t, w.sign(t, tt.info.marshal(w.digest())))
		if err := token.CheckImprint(seal); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
