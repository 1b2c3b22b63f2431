package crypto

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"imzo/bench/internal/outside"
	"imzo/gost/gost3410"
	"imzo/pki/alg"
	"imzo/pki/keystore"
)

//go:embed harness/engine.c
var engineSource string

//go:embed harness/BouncyCastle.java
var bouncyCastleSource string

// harness is a program that measures itself, see harness/engine.c for what it is asked.
type harness struct {
	*outside.Program
	version string
}

// startEngine builds and starts the harness of OpenSSL's GOST engine.
func startEngine(ctx context.Context, dir string) (*harness, error) {
	argv, err := outside.CompileC(ctx, dir, "engine", engineSource, "-lcrypto")
	if err != nil {
		return nil, fmt.Errorf("%w (apt-get install gcc libssl-dev libengine-gost-openssl)", err)
	}
	p, err := startPeer(ctx, argv)
	if err != nil {
		return nil, fmt.Errorf("%w: %w (apt-get install libengine-gost-openssl)", outside.ErrAbsent, err)
	}
	return p, nil
}

// startBouncyCastle compiles and starts the harness of BouncyCastle.
func startBouncyCastle(ctx context.Context, dir string) (*harness, error) {
	java, err := outside.FindBouncyCastle()
	if err != nil {
		return nil, err
	}
	// The collector of one thread, since one thread is what is measured.
	argv, err := java.Compile(ctx, dir, "BouncyCastle", bouncyCastleSource, "-XX:+UseSerialGC", "-Xmx512m")
	if err != nil {
		return nil, err
	}
	return startPeer(ctx, argv)
}

// startPeer starts a harness, whose first line is its version.
func startPeer(ctx context.Context, argv []string) (*harness, error) {
	program, err := outside.Start(ctx, argv)
	if err != nil {
		return nil, err
	}
	version, err := program.Answer("version")
	if err != nil {
		program.Close()
		return nil, err
	}
	return &harness{program, version}, nil
}

// subjectKey is a key of one curve, with a digest and its signature.
type subjectKey struct {
	curve     *gost3410.Curve
	private   *gost3410.PrivateKey
	raw       []byte // public key, 64 octets
	spki      []byte
	pkcs8     []byte
	digest    [gost3410.DigestSize]byte
	signature []byte
}

// newSubjectKey makes a key of the curve "A", "B" or "C" of CryptoPro.
func newSubjectKey(curve string, digest [gost3410.DigestSize]byte) (*subjectKey, error) {
	key, err := alg.GenerateKey("gost2001:"+curve, rand.Reader)
	if err != nil {
		return nil, err
	}
	private, ok := key.Signer().(*gost3410.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key of curve %s is a %T", curve, key.Signer())
	}
	k := &subjectKey{
		curve: private.PublicKey().Curve(), private: private, raw: private.PublicKey().Bytes(),
		spki: key.PublicKey().Raw, digest: digest,
	}
	if k.pkcs8, err = keystore.MarshalPKCS8(key); err != nil {
		return nil, err
	}
	k.signature, err = private.Sign(nil, digest[:], nil)
	return k, err
}

// take gives the peer our key, and wants it to find our signature right and to
// make one that we find right: otherwise it would not measure the same.
func (p *harness) take(name string, k *subjectKey) error {
	answer, err := p.Ask(fmt.Sprintf("key %s %x %x %x %x", name, k.spki, k.pkcs8, k.digest, k.signature))
	if err != nil {
		return err
	}
	if answer != "true" {
		return fmt.Errorf("%s: our signature does not verify there: %s", p.version, answer)
	}
	if answer, err = p.Ask("signature " + name); err != nil {
		return err
	}
	signature, err := hex.DecodeString(answer)
	if err != nil || !k.private.PublicKey().Verify(k.digest[:], signature) {
		return fmt.Errorf("%s: its signature does not verify here: %s", p.version, answer)
	}
	return nil
}

// measure asks for a measurement and returns nanoseconds of one operation.
func (p *harness) measure(d time.Duration, question string) (float64, error) {
	answer, err := p.Ask(fmt.Sprintf("%s %d", question, max(d.Milliseconds(), 1)))
	if err != nil {
		return 0, err
	}
	return parseMeasurement(answer)
}

// parseMeasurement reads "OPERATIONS NANOSECONDS".
func parseMeasurement(answer string) (float64, error) {
	var operations, nanoseconds int64
	if n, err := fmt.Sscanf(answer, "%d %d", &operations, &nanoseconds); err != nil || n != 2 || operations < 1 || nanoseconds < 1 {
		return 0, fmt.Errorf("not a measurement: %q", answer)
	}
	return float64(nanoseconds) / float64(operations), nil
}

// rhash is the command; it hashes files only.
type rhash struct {
	path, version string
	full, empty   string // files
}

// findRHash looks for the command and writes the files it is to hash.
func findRHash(ctx context.Context, dir string, content []byte) (*rhash, error) {
	path, err := exec.LookPath("rhash")
	if err != nil {
		return nil, fmt.Errorf("%w: no program rhash (apt-get install rhash)", outside.ErrAbsent)
	}
	r := &rhash{path: path, full: filepath.Join(dir, "content"), empty: filepath.Join(dir, "empty")}
	version, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return nil, err
	}
	r.version = strings.TrimSpace(string(version))
	for name, b := range map[string][]byte{r.full: content, r.empty: nil} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// sum returns the digest of a file, and how long the command took.
func (r *rhash) sum(ctx context.Context, file string) (digest string, took time.Duration, err error) {
	began := time.Now()
	out, err := exec.CommandContext(ctx, r.path, "--gost94-cryptopro", "--simple", file).Output()
	took = time.Since(began)
	if err != nil {
		return "", 0, fmt.Errorf("rhash: %w", err)
	}
	digest, _, _ = strings.Cut(string(out), " ")
	return digest, took, nil
}

// measure returns the nanoseconds of hashing the content: those of the command
// less those of the command over an empty file.
func (r *rhash) measure(ctx context.Context) (float64, error) {
	_, start, err := r.sum(ctx, r.empty)
	if err != nil {
		return 0, err
	}
	_, took, err := r.sum(ctx, r.full)
	return float64(max(took-start, 1)), err
}
