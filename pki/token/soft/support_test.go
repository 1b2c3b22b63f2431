package soft

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki"
	"imzo/pki/alg"
	"imzo/pki/cert"
	"imzo/pki/token"
)

const (
	testPIN = "1234"
	testPUK = "12345678"
	badPIN  = "9999"
	badPUK  = "99999999"
)

// cheap makes a PIN cost next to nothing.
func cheap() *kdf { return &kdf{Time: 1, Memory: 8, Threads: 1} }

func options() Options {
	return Options{
		Kind: token.KindIDCard, Name: "Ali", Serial: "00A1", PIN: []byte(testPIN), PUK: []byte(testPUK),
		Now: testpki.DefaultNow, cost: cheap(),
	}
}

func newCard(t testing.TB, mods ...func(*Options)) *Card {
	t.Helper()
	o := options()
	for _, mod := range mods {
		mod(&o)
	}
	c, err := Create(filepath.Join(t.TempDir(), "ali.card"), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unlock(t testing.TB, c *Card, pin string) *session {
	t.Helper()
	s, err := c.Open(t.Context(), []byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*session)
}

// certify returns a chain for the key.
func certify(t testing.TB, pki *testpki.PKI, key *alg.PublicKey) []*cert.Certificate {
	t.Helper()
	return pki.Issue(t, pki.CA, func(tmpl *cert.Template) {
		pki.UserTemplate(t, tmpl, testpki.Person)
		tmpl.PublicKey = key
	}, "").Chain
}

// personalized returns a card with a key and its chain, which opens with
// testPIN.
func personalized(t testing.TB, mods ...func(*Options)) (*Card, []*cert.Certificate) {
	t.Helper()
	c := newCard(t, mods...)
	s := unlock(t, c, testPIN)
	defer s.Close()
	key, err := s.GenerateKey(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	chain := certify(t, testpki.New(t, "ozdst"), key.PublicKey())
	if err := s.Personalize(t.Context(), chain, []byte(testPIN)); err != nil {
		t.Fatal(err)
	}
	return c, chain
}

// signs checks that the key makes signatures that the certificate verifies.
func signs(t testing.TB, key *alg.PrivateKey, with *alg.PublicKey) {
	t.Helper()
	message := []byte("hisob-faktura")
	sig, err := key.SignMessage(nil, message)
	if err != nil {
		t.Fatal(err)
	}
	scheme, err := alg.ResolveSignature(key.SignatureAlgorithm(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := scheme.Verify(with, message, sig); err != nil {
		t.Errorf("signature of the card: %v", err)
	}
	if err := scheme.Verify(with, append(message, '!'), sig); !errors.Is(err, alg.ErrSignature) {
		t.Errorf("signature over something else: %v", err)
	}
}

func triesLeft(t testing.TB, c *Card) int {
	t.Helper()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.TriesLeft
}

// The test binary run as another program: "hang PIN|PUK" counts a try and then
// waits to be killed, "guess" tries wrong PINs until the card is blocked and
// prints how many were answered.
const actEnv = "IMZO_SOFT_ACT"

func TestMain(m *testing.M) {
	if act := os.Getenv(actEnv); act != "" {
		if err := otherProgram(act, os.Getenv(actEnv+"_CARD")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func otherProgram(act, path string) error {
	c, err := Open(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	hang := func() {
		fmt.Println("counted")
		time.Sleep(time.Minute) // killed long before
	}
	switch act {
	case "hang PIN":
		c.counted = hang
		_, err = c.Open(ctx, []byte(testPIN))
		return fmt.Errorf("answered: %w", err)
	case "hang PUK":
		c.counted = hang
		return fmt.Errorf("answered: %w", c.Unblock(ctx, []byte(testPUK), []byte(testPIN)))
	case "guess":
		fmt.Println("ready")
		bufio.NewReader(os.Stdin).ReadString('\n')
		n, err := guess(ctx, c)
		fmt.Println(n)
		return err
	}
	return fmt.Errorf("unknown act %q", act)
}

// guess tries wrong PINs until the card is blocked and returns how many were
// answered to be wrong.
func guess(ctx context.Context, c *Card) (int, error) {
	for n := 0; ; n++ {
		_, err := c.Open(ctx, []byte(badPIN))
		var wrong *token.PINError
		switch {
		case errors.As(err, &wrong):
		case errors.Is(err, token.ErrBlocked):
			return n, nil
		default:
			return n, fmt.Errorf("wrong PIN: %v", err)
		}
	}
}

// program is the test binary in another process.
type program struct {
	*exec.Cmd
	in  *os.File
	out *bufio.Scanner
}

func start(t *testing.T, act string, c *Card) program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), actEnv+"="+act, actEnv+"_CARD="+c.Path())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = r
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return program{cmd, w, bufio.NewScanner(out)}
}

// line returns the next line the program prints.
func (p program) line(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("the other program ended: %v", p.out.Err())
	}
	return strings.TrimSpace(p.out.Text())
}
