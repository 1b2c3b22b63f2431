//go:build unix

package atomicfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestReplaceInKeepsTheOwner(t *testing.T) {
	root, dir := openRoot(t)
	if err := CreateIn(root, "file", []byte("one"), 0o604); err != nil {
		t.Fatal(err)
	}
	want := [2]uint32{uint32(os.Getuid()), uint32(os.Getgid())}
	if os.Getuid() == 0 { // nobody else may give files away
		want = [2]uint32{65534, 65533}
		if err := os.Chown(filepath.Join(dir, "file"), 65534, 65533); err != nil {
			t.Fatal(err)
		}
	}
	if err := ReplaceIn(root, "file", []byte("two"), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	info, err := root.Stat("file")
	if err != nil {
		t.Fatal(err)
	}
	s := info.Sys().(*syscall.Stat_t)
	if got := [2]uint32{s.Uid, s.Gid}; got != want || info.Mode().Perm() != 0o604 {
		t.Errorf("%v %v, want %v", got, info.Mode(), want)
	}
}

func TestAFolderThatMayNotBeWrittenStaysAsItIs(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	root, dir := openRoot(t)
	if err := CreateIn(root, "file", []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if err := ReplaceIn(root, "file", []byte("two"), func() error { return nil }); !os.IsPermission(err) {
		t.Error(err)
	}
	if err := CreateIn(root, "other", nil, 0o600); !os.IsPermission(err) {
		t.Error(err)
	}
	only(t, dir, "file")
}
