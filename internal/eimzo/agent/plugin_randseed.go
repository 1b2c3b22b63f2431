package agent

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"

	"imzo/internal/eimzo/agent/prompt"
)

// seedKey is the vendor's RSA key that a seed is encrypted to: no site can read
// it, only the vendor.
const seedKey = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAkEvIE+RqyRHlNc1uISAwT1KwuLM86PdFC+3BJWTYm/veboZnBKDEOsQtHwr6jsy/Z9JSdqOwOL2YdMzoyyCt2UzF898TZoZPpMY92EHKfVQnZSRcI66o8xcTIKy3dTboXE6x92pvR4GxoZywcLrpcV7w9ZBpOrUNOkr0vpFR1My1dmPsZ4oPxP77LYqbLd5xfptbSGB7dJetyU7pfCo03g65bXrDknG2P1bdEV7zkSt1qm6ax+z/IQuC2vwMhPmFYPB4WM5323MlLCBrb/zqlXXxu4oEXA5UF5KMlssW+NJ4Z9hfLaeuNSDk85Xzapem4y3rPQBlyOC8nFV6OOoOxQIDAQAB"

// randseedPlugin tells the vendor which computer a key was made on. It is in
// no apidoc.
func randseedPlugin() plugin {
	return plugin{name: "randseed", functions: []function{
		{name: "get", hidden: true, args: []argument{{name: "source", about: "Источник"}}, run: getSeed},
	}}
}

var questionSeed = text{
	ru: "Сайт %s запрашивает сведения об этом компьютере: его имя и сетевые адреса. Передать?",
	uz: "%s sayti ushbu kompyuter haqidagi ma’lumotni so‘ramoqda: uning nomi va tarmoq manzillari. Berilsinmi?",
	en: "The site %s asks for what this computer is: its name and network addresses. Tell?",
}

// getSeed gives the names of the computer, encrypted. They tell people apart,
// so the person is asked first; the original is silent about it.
func getSeed(ctx context.Context, a *Agent, c *call) (fields, error) {
	if c.arg(0) != "netconf" {
		return nil, fail(-1029, textInvalidArgSeed)
	}
	if err := a.confirm(ctx, c, questionSeed); err != nil {
		return nil, err
	}
	info, err := netinfo()
	if err != nil {
		return nil, err
	}
	seed, err := sealSeed(a.rand, info)
	if err != nil {
		return nil, err
	}
	return fields{"seed": base64Text(seed)}, nil
}

// confirm asks the person a question that names the site, once for each page
// and question: whoever said yes is not asked again while the program runs.
func (a *Agent) confirm(ctx context.Context, c *call, question text) error {
	key := [2]string{c.Origin, question.ru}
	a.mu.Lock()
	said := a.confirmed[key]
	a.mu.Unlock()
	if said {
		return nil
	}
	if err := a.confirmAlways(ctx, c, question); err != nil {
		return err
	}
	if nameless(c.Origin) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.confirmed) >= maxLanguages {
		clear(a.confirmed)
	}
	a.confirmed[key] = true
	return nil
}

// confirmAlways asks every time.
func (a *Agent) confirmAlways(ctx context.Context, c *call, question text) error {
	r := a.question(c, prompt.KindConfirm)
	r.Question = fmt.Sprintf(question.in(c.language), c.Domain)
	answer, err := a.prompter.Ask(ctx, r)
	if err != nil || !answer.Allowed {
		return fail(-5001, textOperationCanceled)
	}
	return nil
}

// netinfo is the name of the computer and its interfaces, a line each. The
// layout of the original is not known.
func netinfo() ([]byte, error) {
	var b bytes.Buffer
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(&b, name)
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range interfaces {
		fmt.Fprintln(&b, i.Name, i.HardwareAddr)
	}
	return b.Bytes(), nil
}

// sealSeed encrypts info: F0{ 10: AES-128-ECB of it, 11: SHA-256 of it, 12: the
// AES key under RSA }. ECB and PKCS#1 v1.5 are what the reader expects; the key
// is new each time.
func sealSeed(random io.Reader, info []byte) ([]byte, error) {
	der, err := base64.StdEncoding.DecodeString(seedKey)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 16)
	defer clear(key)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(info)%aes.BlockSize
	sealed := append(bytes.Clone(info), bytes.Repeat([]byte{byte(padding)}, padding)...)
	for i := 0; i < len(sealed); i += aes.BlockSize {
		block.Encrypt(sealed[i:], sealed[i:])
	}
	//lint:ignore SA1019 the vendor's reader takes nothing else
	wrapped, err := rsa.EncryptPKCS1v15(random, parsed.(*rsa.PublicKey), key)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(info)
	return seedTLV(0xf0, seedTLV(0x10, sealed), seedTLV(0x11, digest[:]), seedTLV(0x12, wrapped)), nil
}

// seedTLV writes a tag, a length in groups of 7 bits with the lowest first, and
// the parts.
func seedTLV(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	b := []byte{tag}
	for n := len(content); ; n >>= 7 {
		if n < 0x80 {
			b = append(b, byte(n))
			break
		}
		b = append(b, byte(n)|0x80)
	}
	return append(b, content...)
}
