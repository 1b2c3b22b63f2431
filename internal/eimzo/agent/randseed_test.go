package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"testing"

	"imzo/internal/eimzo/agent/prompt"
)

// readTLV takes one element off b.
func readTLV(t *testing.T, b []byte) (tag byte, content, rest []byte) {
	t.Helper()
	if len(b) < 2 {
		t.Fatal("too short")
	}
	tag, b = b[0], b[1:]
	n, shift := 0, 0
	for {
		n |= int(b[0]&0x7f) << shift
		shift += 7
		more := b[0]&0x80 != 0
		b = b[1:]
		if !more {
			break
		}
	}
	return tag, b[:n], b[n:]
}

func TestASeedIsGivenOnceThePersonAgrees(t *testing.T) {
	asked, answer := []string{}, false
	a := newAgent(t, func(o *Options) {
		o.Prompter = person(func(r prompt.Request) (prompt.Answer, error) {
			asked = append(asked, string(r.Kind)+" "+r.Domain+" "+r.Function+" "+r.Question)
			return prompt.Answer{Allowed: answer}, nil
		})
	})
	const request = `{"plugin":"randseed","name":"get","arguments":["netconf"]}`
	const refused = `{"success":false,"status":-5001,"reason":"Операция отменена"}`
	ask(t, a, site, `{"plugin":"randseed","name":"get","arguments":["x"]}`, `{"success":false,"status":-1029,"reason":"Передан неопределенный источник seed"}`)
	ask(t, a, site, request, refused)
	answer = true
	reply := callFunction(t, a, "randseed", "get", "netconf")
	wantFields(t, callFunction(t, a, "randseed", "get", "netconf"), map[string]any{"success": true})
	if want := "confirm example.uz randseed.get Сайт example.uz запрашивает сведения об этом компьютере: его имя и сетевые адреса. Передать?"; len(asked) != 2 || asked[1] != want {
		t.Errorf("%q", asked)
	}
	answer = false
	ask(t, a, Caller{"https://other.uz", "other.uz"}, request, refused)
	ask(t, newAgent(t), site, request, refused)

	seed, err := base64.StdEncoding.DecodeString(fmt.Sprint(reply["seed"]))
	if err != nil {
		t.Fatal(err)
	}
	tag, all, rest := readTLV(t, seed)
	sealedTag, sealed, all := readTLV(t, all)
	digestTag, digest, all := readTLV(t, all)
	keyTag, key, all := readTLV(t, all)
	info, err := netinfo()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(info)
	if tag != 0xf0 || sealedTag != 0x10 || digestTag != 0x11 || keyTag != 0x12 || len(rest)+len(all) != 0 ||
		len(sealed) != len(info)/16*16+16 || len(key) != 256 || !bytes.Equal(digest, sum[:]) {
		t.Errorf("%x", seed)
	}
	if name, err := os.Hostname(); err != nil || bytes.Contains(seed, []byte(name)) {
		t.Errorf("the seed names the computer (%v)", err)
	}
}

func TestSeedLengthsAreInGroupsOfSevenBits(t *testing.T) {
	for n, want := range map[int]string{0: "0100", 1: "0101", 127: "017f", 128: "018001", 300: "01ac02"} {
		if got := fmt.Sprintf("%x", seedTLV(1, make([]byte, n))); got[:len(want)] != want || len(got) != len(want)+2*n {
			t.Errorf("%d: %s", n, got)
		}
	}
}
