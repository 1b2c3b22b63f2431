package localca

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/smallstep/truststore"
)

// javaStore is the file cacerts of the Java that JAVA_HOME names, changed by
// truststore with Java's keytool and the password that Java ships, "changeit".
type javaStore struct{ computer }

func (j javaStore) name() string { return StoreJava }

func (j javaStore) trust() (*truststore.JavaTrust, error) {
	t, err := truststore.NewJavaTrust()
	if err != nil {
		return nil, ErrNoJava
	}
	if _, err := j.cacerts(); err != nil {
		return nil, err
	}
	return t, nil
}

// cacerts is the file that truststore uses.
func (j javaStore) cacerts() (string, error) {
	home := os.Getenv("JAVA_HOME")
	for _, dir := range []string{filepath.Join(home, "jre"), home} {
		path := filepath.Join(dir, "lib", "security", "cacerts")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", ErrNoJava
}

// writable makes sure that truststore, when keytool may not write the file,
// does not run it by a sudo that asks.
func (j javaStore) writable(ctx context.Context) error {
	path, err := j.cacerts()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) && j.goos != "windows" {
		return j.rights(ctx)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func (j javaStore) trusted(_ context.Context, a *Authority) (bool, error) {
	t, err := j.trust()
	if err != nil {
		return false, err
	}
	return t.Exists(a.cert), nil
}

func (j javaStore) install(ctx context.Context, a *Authority) error {
	t, err := j.trust()
	if err != nil {
		return err
	}
	if err := j.writable(ctx); err != nil {
		return err
	}
	return explain(t.Install(a.Path(), a.cert))
}

func (j javaStore) remove(ctx context.Context, a *Authority) error {
	t, err := j.trust()
	if err != nil {
		return err
	}
	if !t.Exists(a.cert) {
		return nil
	}
	if err := j.writable(ctx); err != nil {
		return err
	}
	return explain(t.Uninstall(a.Path(), a.cert))
}
