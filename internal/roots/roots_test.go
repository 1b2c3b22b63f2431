package roots

import (
	"os"
	"testing"
	"time"

	"imzo/pki/cert"
)

func TestProductionRootSignsTheProductionCA(t *testing.T) {
	pool, err := Production()
	if err != nil {
		t.Fatal(err)
	}
	if pool.Len() != 1 {
		t.Fatalf("%d roots", pool.Len())
	}
	root := pool.Certificates()[0]
	if got, want := root.SerialHex(), "29ce182249b2d8e5207deb74086b4d6"; got != want {
		t.Errorf("serial number %s, want %s", got, want)
	}
	if err := root.CheckSignatureFrom(root); err != nil {
		t.Errorf("the root does not sign itself: %v", err)
	}
	pem, err := os.ReadFile("testdata/uz-production-ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	cas, err := cert.ParseAll(pem)
	if err != nil {
		t.Fatal(err)
	}
	path, err := cert.BuildPath(cas[0], cert.PathOptions{Anchors: pool, At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatalf("the CA is not below the root: %v", err)
	}
	if !path.Anchor().Equal(root) {
		t.Errorf("the path ends at %s", path.Anchor())
	}
}

func TestEachCallGivesItsOwnPool(t *testing.T) {
	a, err := Production()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Production()
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("who adds an anchor to one pool adds it to all")
	}
}
