package keystore

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"imzo/gost/gost3410"
	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/ber"
)

func TestPFXComesBackAsItWasWritten(t *testing.T) {
	for _, spec := range allSpecs {
		want := entryOf(t, spec, testpki.Person)
		for name, p := range map[string]Profile{"java8": ProfileJava8, "modern": ProfileModern} {
			t.Run(spec+"/"+name, func(t *testing.T) {
				data := createPFX(t, "Abc12345", p, want)
				aliases, err := ListPFX(data)
				if err != nil {
					t.Fatal(err)
				}
				if len(aliases) != 1 || aliases[0] != want.Alias {
					t.Errorf("aliases %q, want %q", aliases, want.Alias)
				}
				got, err := OpenPFX(data, "Abc12345")
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != 1 {
					t.Fatalf("%d entries", len(got))
				}
				checkSameEntry(t, got[0], want)
				if !got[0].Created.Equal(want.Chain[0].NotBefore) {
					t.Errorf("created %s, want %s", got[0].Created, want.Chain[0].NotBefore)
				}
				if _, err := OpenPFX(data, "abc12345"); !errors.Is(err, ErrPassword) || errors.Is(err, ErrFormat) {
					t.Errorf("wrong password: %v", err)
				}
			})
		}
	}
}

func TestPFXFromBeforeOpens(t *testing.T) {
	// Files in users' hands must open in every later version. They were made
	// by CreatePFX with the key d = 0102...20 of crypto's known answers.
	for name, count := range map[string]int{"java8": 1, "modern": 1} {
		data, err := os.ReadFile("testdata/" + name + ".pfx")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := OpenPFX(data, testPassword)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != count {
			t.Fatalf("%s: %d entries", name, len(entries))
		}
		want := unhex(t, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20")
		if got := entries[0].Key.Signer().(*gost3410.PrivateKey).Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%s: another key", name)
		}
		const alias = "cn=test user,name=test,c=uz,1.2.860.3.16.1.2=12345678901234,serialnumber=77010203,validfrom=2025.01.01 05:00:00,validto=2027.01.01 05:00:00"
		if entries[0].Alias != alias {
			t.Errorf("%s: alias %q", name, entries[0].Alias)
		}
	}
}

func TestDamageIsNeverTakenForAWrongPassword(t *testing.T) {
	data := fastPFX(t, testPassword, entryOf(t, "ozdst", testpki.Person))
	if _, err := openPFX(data, testPassword, 1000); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		for _, flip := range []byte{1 << (i % 8), 0xff} {
			broken := bytes.Clone(data)
			broken[i] ^= flip
			_, err := openPFX(broken, testPassword, 1000)
			switch {
			case err == nil:
				t.Fatalf("octet %d ^ %#02x: opens", i, flip)
			case errors.Is(err, ErrPassword):
				t.Fatalf("octet %d ^ %#02x: %v", i, flip, err)
			case !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrLimit):
				t.Fatalf("octet %d ^ %#02x: untyped error %v", i, flip, err)
			}
		}
	}
	for i := range data {
		if _, err := openPFX(data[:i], testPassword, 1000); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut to %d octets: %v", i, err)
		}
	}
}

// withoutMAC takes the MacData off a PFX.
func withoutMAC(t testing.TB, data []byte) []byte {
	t.Helper()
	p, err := parsePFX(data)
	if err != nil {
		t.Fatal(err)
	}
	return ber.Sequence(ber.Int64(3), writeData(p.content))
}

func TestPFXWithoutMACOpens(t *testing.T) {
	want := entryOf(t, "ozmst", testpki.Person)
	data := withoutMAC(t, fastPFX(t, testPassword, want))
	checkOpens(t, data, testPassword, want)

	// Half of it damaged: the other half shows that the password is right.
	p, err := parsePFX(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.safes {
		if s.encryption != nil {
			s.contents[len(s.contents)-1] ^= 1 // aliases data
		}
	}
	if _, err := OpenPFX(data, testPassword); !errors.Is(err, ErrFormat) || errors.Is(err, ErrPassword) {
		t.Errorf("damaged: %v", err)
	}
}

func TestKeyUnderAnotherPasswordIsAPasswordError(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	inner, err := parsePFX(fastPFX(t, "key password", e))
	if err != nil {
		t.Fatal(err)
	}
	pw, err := newPassword("store password")
	if err != nil {
		t.Fatal(err)
	}
	mac, err := writeMAC(rand.Reader, fastProfile(), pw, inner.content)
	if err != nil {
		t.Fatal(err)
	}
	data := ber.Sequence(ber.Int64(3), writeData(inner.content), mac)
	if _, err := OpenPFX(data, "store password"); !errors.Is(err, ErrPassword) {
		t.Errorf("%v", err)
	}
}

func TestPFXOfSeveralKeysKeepsThemApart(t *testing.T) {
	pki := testpki.New(t, "ozdst")
	var entries []Entry
	for _, subject := range []string{testpki.Person, testpki.Organisation, "CN=Third"} {
		user := pki.User(t, subject)
		entries = append(entries, Entry{Alias: Alias(user.Cert, nil), Key: user.Key, Chain: user.Chain})
	}
	data := fastPFX(t, testPassword, entries...)
	aliases, err := ListPFX(data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenPFX(data, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || len(aliases) != 3 {
		t.Fatalf("%d entries, %d aliases", len(got), len(aliases))
	}
	created := map[time.Time]bool{}
	for i := range got {
		checkSameEntry(t, got[i], entries[i])
		if aliases[i] != entries[i].Alias {
			t.Errorf("alias %d is %q", i, aliases[i])
		}
		created[got[i].Created] = true
	}
	if len(created) != 3 {
		t.Error("two keys share a local key id")
	}
	// The chain they share is written once.
	o := opener{pw: mustPassword(t, testPassword), work: work{1000}}
	p, err := parsePFX(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.safes {
		if err := o.openSafe(s); err != nil {
			t.Fatal(err)
		}
	}
	if len(o.certs) != 3+2 {
		t.Errorf("%d certificates in the file", len(o.certs))
	}
}

func mustPassword(t testing.TB, s string) *password {
	t.Helper()
	pw, err := newPassword(s)
	if err != nil {
		t.Fatal(err)
	}
	return pw
}

func TestCreatePFXRefusesWhatNobodyCouldOpen(t *testing.T) {
	good := entryOf(t, "ozdst", testpki.Person)
	other := entryOf(t, "ozdst", testpki.Person)
	card, err := alg.NewPrivateKey(card{good.Key}, alg.FamilyOZDST)
	if err != nil {
		t.Fatal(err)
	}
	for name, entries := range map[string][]Entry{
		"nothing":                    {},
		"no alias":                   {{Key: good.Key, Chain: good.Chain}},
		"no key":                     {{Alias: "a", Chain: good.Chain}},
		"another key's certificate":  {{Alias: "a", Key: good.Key, Chain: other.Chain}},
		"two aliases but for case":   {{Alias: "a", Key: good.Key}, {Alias: "A", Key: other.Key}},
		"key in a card":              {{Alias: "a", Key: card}},
		"more than the reader takes": make([]Entry, maxBags+1),
	} {
		if _, err := CreatePFX(rand.Reader, entries, testPassword, ProfileJava8); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if _, err := CreatePFX(rand.Reader, []Entry{good}, "\xff", ProfileJava8); !errors.Is(err, ErrPassword) {
		t.Errorf("password that is no text: %v", err)
	}
	if _, err := CreatePFX(rand.Reader, []Entry{good}, testPassword, Profile(7)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown profile: %v", err)
	}
	for n := range 3 * saltSize { // for the key, the certificates and the MAC
		short := io.LimitReader(rand.Reader, int64(n))
		if _, err := fastProfile().create(short, []Entry{good}, testPassword); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Fatalf("with %d octets of randomness: %v", n, err)
		}
	}
	good.Key.Wipe()
	if _, err := CreatePFX(rand.Reader, []Entry{good}, testPassword, ProfileJava8); !errors.Is(err, ErrUnsupported) {
		t.Errorf("wiped key: %v", err)
	}
}

// card is a signer that gives its key to nobody.
type card struct{ crypto.Signer }

func TestKeyWithoutNameOpensAndIsNotListed(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	pw := mustPassword(t, testPassword)
	shrouded, err := encryptPKCS8(rand.Reader, fastProfile(), pw, e.Key)
	if err != nil {
		t.Fatal(err)
	}
	data := assemble(t, writeData(ber.Sequence(writeBag(oidShroudedKeyBag, shrouded, "", nil))))
	if aliases, err := ListPFX(data); err != nil || len(aliases) != 0 {
		t.Errorf("listed %q, %v", aliases, err)
	}
	entries, err := OpenPFX(data, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Alias != "" || len(entries[0].Chain) != 0 || !entries[0].Created.IsZero() {
		t.Errorf("entries %+v", entries)
	}
}

// assemble makes a PFX of ready ContentInfos, with a MAC under testPassword.
func assemble(t testing.TB, safes ...[]byte) []byte {
	t.Helper()
	content := ber.Sequence(safes...)
	mac, err := writeMAC(rand.Reader, fastProfile(), mustPassword(t, testPassword), content)
	if err != nil {
		t.Fatal(err)
	}
	return ber.Sequence(ber.Int64(3), writeData(content), mac)
}

func TestOtherBagsAndSafesArePassedOver(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	pw := mustPassword(t, testPassword)
	shrouded, err := encryptPKCS8(rand.Reader, fastProfile(), pw, e.Key)
	if err != nil {
		t.Fatal(err)
	}
	keyBag := ber.MustOID("1.2.840.113549.1.12.10.1.1")
	secretBag := ber.MustOID("1.2.840.113549.1.12.10.1.5")
	enveloped := ber.MustOID("1.2.840.113549.1.7.3")
	sdsi := ber.MustOID("1.2.840.113549.1.9.22.2")
	provider := ber.Sequence(ber.MustOID("1.3.6.1.4.1.311.17.1").DER(), ber.Set(ber.BMPString("CSP")))
	certValue := ber.Sequence(oidX509Certificate.DER(), ber.Tagged(ber.ContextConstructed(0), ber.OctetString(e.Chain[0].Raw)))
	withProvider := ber.Sequence(oidShroudedKeyBag.DER(), ber.Tagged(ber.ContextConstructed(0), shrouded),
		ber.Set(provider, ber.Sequence(oidFriendlyName.DER(), ber.Set(ber.BMPString("Name")))))
	data := assemble(t,
		writeData(ber.Sequence(writeBag(keyBag, pkcs8Of(t, e.Key), "plain", []byte{1}), writeBag(secretBag, ber.Null(), "secret", nil))),
		ber.Sequence(enveloped.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Sequence())),
		writeData(ber.Sequence(withProvider,
			writeBag(oidCertBag, ber.Sequence(sdsi.DER(), ber.Tagged(ber.ContextConstructed(0), ber.Null())), "", nil),
			writeBag(oidCertBag, certValue, "", nil))),
	)
	aliases, err := ListPFX(data)
	if err != nil || len(aliases) != 1 || aliases[0] != "name" {
		t.Errorf("aliases %q, %v", aliases, err)
	}
	entries, err := OpenPFX(data, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || len(entries[0].Chain) != 1 || !entries[0].Chain[0].Equal(e.Chain[0]) {
		t.Errorf("entries %+v", entries)
	}
}

func TestLimitsStopHostileFiles(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	mac := func(iterations int64, salt []byte) []byte {
		return ber.Sequence(ber.Sequence(alg.NewNull(alg.OIDDigestSHA1).Marshal(), ber.OctetString(make([]byte, 20))),
			ber.OctetString(salt), ber.Int64(iterations))
	}
	empty := writeData(ber.Sequence())
	safes := make([][]byte, maxBags+1)
	for i := range safes {
		safes[i] = empty
	}
	one := writeBag(oidCertBag, ber.Sequence(oidX509Certificate.DER(),
		ber.Tagged(ber.ContextConstructed(0), ber.OctetString(e.Chain[0].Raw))), "", nil)
	bags := func(n int) []byte { return writeData(ber.Sequence(bytes.Repeat(one, n))) }
	for name, data := range map[string][]byte{
		"iterations":      ber.Sequence(ber.Int64(3), empty, mac(maxIterations+1, nil)),
		"salt":            ber.Sequence(ber.Int64(3), empty, mac(1, make([]byte, maxSalt+1))),
		"size":            make([]byte, maxFile+1),
		"bags":            assemble(t, bags(maxBags+1)),
		"safes":           assemble(t, safes...),
		"bags over safes": assemble(t, bags(maxBags), bags(1)),
	} {
		start := time.Now()
		if _, err := OpenPFX(data, testPassword); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
	// Many small derivations add up to the limit as well.
	data := fastPFX(t, testPassword, e)
	if _, err := openPFX(data, testPassword, 4); !errors.Is(err, ErrLimit) {
		t.Errorf("work over all: %v", err)
	}
}

func TestErrorsTellNothingOfPasswordOrKey(t *testing.T) {
	e := entryOf(t, "ozdst", testpki.Person)
	data := fastPFX(t, testPassword, e)
	secret := hex.EncodeToString(e.Key.Signer().(*gost3410.PrivateKey).Bytes())
	for i := range data {
		broken := bytes.Clone(data)
		broken[i] ^= 0x55
		_, err := openPFX(broken, testPassword, 1000)
		text := fmt.Sprintf("%v %+v %#v", err, e, e)
		if strings.Contains(text, testPassword) || strings.Contains(strings.ToLower(text), secret[:16]) {
			t.Fatalf("octet %d: %s", i, text)
		}
	}
}
