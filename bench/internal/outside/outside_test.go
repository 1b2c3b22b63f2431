package outside

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"imzo/internal/testpki/peer"
)

// echo answers each line with itself, and says first that it is there.
var echo = []string{"/bin/sh", "-c", `echo ready; while read line; do echo "$line"; done`}

func TestAProgramAnswersLineByLine(t *testing.T) {
	p, err := Start(t.Context(), echo)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got, err := p.Answer("hello"); err != nil || got != "ready" {
		t.Fatalf("it says %q, %v", got, err)
	}
	for _, line := range []string{"one", "two words"} {
		if got, err := p.Ask(line); err != nil || got != line {
			t.Errorf("asked %q it says %q, %v", line, got, err)
		}
	}
	if _, err := p.Ask("error no such key"); err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("an answer that is an error gives %v", err)
	}
	if p.Pid() <= 0 {
		t.Errorf("process %d", p.Pid())
	}
}

func TestAProgramThatDiesSaysWhy(t *testing.T) {
	p, err := Start(t.Context(), []string{"/bin/sh", "-c", `echo "the reason" >&2; exit 3`})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Answer("anything")
	p.Close()
	if err == nil {
		t.Fatal("a program that died answers")
	}
	if err := p.fault("anything", errors.New("gone")); !strings.Contains(err.Error(), "the reason") {
		t.Errorf("the error is %v", err)
	}
}

func TestWhatIsMissingIsAbsent(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := FindBouncyCastle(); !errors.Is(err, ErrAbsent) {
		t.Errorf("no Java: %v", err)
	}
	if _, err := CompileC(t.Context(), t.TempDir(), "x", "int main(void) { return 0; }"); !errors.Is(err, ErrAbsent) {
		t.Errorf("no compiler: %v", err)
	}
}

func TestMissingJarsAreAbsent(t *testing.T) {
	peer.BouncyCastle(t)
	t.Setenv(jarsEnv, filepath.Join(t.TempDir(), "bcprov.jar"))
	if _, err := FindBouncyCastle(); !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "bcprov.jar") {
		t.Errorf("no jars: %v", err)
	}
}

func TestAMissingHeaderIsAbsentAndAMistakeIsNot(t *testing.T) {
	dir := t.TempDir()
	argv, err := CompileC(t.Context(), dir, "right", "#include <stdio.h>\nint main(void) { puts(\"here\"); return 0; }\n")
	if errors.Is(err, ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), argv)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got, err := p.Answer(""); err != nil || got != "here" {
		t.Errorf("it says %q, %v", got, err)
	}
	if _, err := CompileC(t.Context(), dir, "header", "#include <no/such/header.h>\n"); !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "no/such/header.h") {
		t.Errorf("a missing header: %v", err)
	}
	if _, err := CompileC(t.Context(), dir, "wrong", "int main(void) { return nothing; }\n"); err == nil || errors.Is(err, ErrAbsent) {
		t.Errorf("a mistake: %v", err)
	}
}

func TestAMistakeInJavaIsTold(t *testing.T) {
	peer.BouncyCastle(t)
	java, err := FindBouncyCastle()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := java.Compile(t.Context(), t.TempDir(), "Wrong", "class Wrong { nothing }"); err == nil || !strings.Contains(err.Error(), "Wrong.java") {
		t.Errorf("a mistake: %v", err)
	}
}
