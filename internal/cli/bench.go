package cli

import (
	"crypto/rand"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"imzo/pki/alg"
	"imzo/pki/ber"
)

func newBenchCommand(e env) *cobra.Command {
	var seconds float64
	var asJSON bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure hash and signatures on this machine",
		Long: `Measure, on one thread, the hash of O'zDSt 1106 (over 1 MiB), signing, and
verifying with a public key that is decoded anew each time, as a server meets
it. All three on CryptoPro-A, the curve of E-IMZO's keys.`,
		Example: `  imzo bench
  imzo bench --json --seconds 5`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if seconds <= 0 || seconds > 600 {
				return usagef("--seconds must be above 0 and at most 600")
			}
			r, err := measure(time.Duration(seconds * float64(time.Second)))
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(r)
			}
			_, err = fmt.Fprintf(e.stdout, "hash    %8.1f MiB/s\nsign    %8.0f /s\nverify  %8.0f /s\n", r.Hash, r.Sign, r.Verify)
			return err
		},
	}
	c.Flags().Float64Var(&seconds, "seconds", 1, "time for each of the three, in `SECONDS`")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// speeds are the figures of one thread.
type speeds struct {
	Hash   float64 `json:"hash_MiB_s"`
	Sign   float64 `json:"sign_per_s"`
	Verify float64 `json:"verify_per_s"`
}

func measure(d time.Duration) (speeds, error) {
	digest, err := alg.DigestByName("OZDST-1106-2009-2-A")
	if err != nil {
		return speeds{}, err
	}
	key, err := alg.GenerateKey("ozdst", rand.Reader)
	if err != nil {
		return speeds{}, err
	}
	scheme, err := alg.ResolveSignature(key.SignatureAlgorithm(), nil)
	if err != nil {
		return speeds{}, err
	}
	block := make([]byte, 1<<20)
	sum := digest.Sum([]byte("imzo bench"))
	signature, err := key.Sign(rand.Reader, sum, nil)
	if err != nil {
		return speeds{}, err
	}
	spki := key.PublicKey().Raw

	var s speeds
	h := digest.New()
	if s.Hash, err = perSecond(d, func() error {
		_, err := h.Write(block)
		return err
	}); err != nil {
		return speeds{}, err
	}
	if s.Sign, err = perSecond(d, func() error {
		_, err := key.Sign(rand.Reader, sum, nil)
		return err
	}); err != nil {
		return speeds{}, err
	}
	s.Verify, err = perSecond(d, func() error {
		e, err := ber.Parse(spki)
		if err != nil {
			return err
		}
		public, err := alg.ParsePublicKey(e)
		if err != nil {
			return err
		}
		return scheme.VerifyDigest(public, sum, signature)
	})
	return s, err
}

// perSecond repeats work for at least d and returns how often a second it
// ran.
func perSecond(d time.Duration, work func() error) (float64, error) {
	start := time.Now()
	for n := 1; ; n++ {
		if err := work(); err != nil {
			return 0, err
		}
		if elapsed := time.Since(start); elapsed >= d {
			// Two decimals: the rest is noise.
			return math.Round(100*float64(n)/elapsed.Seconds()) / 100, nil
		}
	}
}
