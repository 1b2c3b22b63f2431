package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func openRoot(t *testing.T) (root *os.Root, dir string) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// only fails unless the folder has these files and nothing else.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(names) {
		t.Fatalf("%v, want %v", list, names)
	}
	for i, e := range list {
		if e.Name() != names[i] {
			t.Errorf("%v, want %v", list, names)
		}
	}
}

func TestCreateInMakesAWholeFileOnce(t *testing.T) {
	root, dir := openRoot(t)
	var made atomic.Int32
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			switch err := CreateIn(root, "file", []byte{byte(i), byte(i)}, 0o640); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	b, err := root.ReadFile("file")
	if err != nil || len(b) != 2 || b[0] != b[1] {
		t.Errorf("%v %v", b, err)
	}
	if info, err := root.Stat("file"); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Error(info, err)
	}
	only(t, dir, "file")
}

func TestReplaceInKeepsTheModeAndAsksFirst(t *testing.T) {
	root, dir := openRoot(t)
	if err := CreateIn(root, "file", []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	changed := errors.New("changed")
	if err := ReplaceIn(root, "file", []byte("two"), func() error { return changed }); !errors.Is(err, changed) {
		t.Error(err)
	}
	if b, err := root.ReadFile("file"); err != nil || string(b) != "one" {
		t.Errorf("%q %v", b, err)
	}
	if err := ReplaceIn(root, "file", []byte("two"), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if b, err := root.ReadFile("file"); err != nil || string(b) != "two" {
		t.Errorf("%q %v", b, err)
	}
	if info, err := root.Stat("file"); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Error(info, err)
	}
	only(t, dir, "file")
}

func TestReplaceInReplacesRegularFilesOnly(t *testing.T) {
	root, dir := openRoot(t)
	never := func() error { t.Error("asked"); return nil }
	if err := ReplaceIn(root, "none", nil, never); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := root.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceIn(root, "folder", nil, never); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
	if err := CreateIn(root, "folder", nil, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	for _, name := range []string{"../file", "/file", "folder/../../file"} {
		if err := CreateIn(root, name, nil, 0o600); err == nil {
			t.Errorf("%s was made", name)
		}
		if err := ReplaceIn(root, name, nil, never); err == nil {
			t.Errorf("%s was replaced", name)
		}
	}
	if runtime.GOOS == "windows" {
		only(t, dir, "folder")
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "target"), []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceIn(root, "link", nil, never); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
	if err := CreateIn(root, "link", nil, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	only(t, dir, "folder", "link", "target")
}

func TestRemoveAbandonedTakesOurOwnOnly(t *testing.T) {
	root, dir := openRoot(t)
	old := time.Now().Add(-2 * time.Hour)
	for name, at := range map[string]time.Time{
		".new-ABCDEFGHIJKLMNOPQRSTUVWXY2": old,
		".new-ABCDEFGHIJKLMNOPQRSTUVWXY3": time.Now(), // somebody may be at it
		".new-ABCDEFGHIJKLMNOPQRSTUVWX":   old,
		".new-abcdefghijklmnopqrstuvwxy2": old,
		"new-ABCDEFGHIJKLMNOPQRSTUVWXY22": old,
		"file":                            old,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := root.Mkdir(".new-ABCDEFGHIJKLMNOPQRSTUVWXY4", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := RemoveAbandoned(root, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	only(t, dir, ".new-ABCDEFGHIJKLMNOPQRSTUVWX", ".new-ABCDEFGHIJKLMNOPQRSTUVWXY3", ".new-ABCDEFGHIJKLMNOPQRSTUVWXY4", ".new-abcdefghijklmnopqrstuvwxy2", "file", "new-ABCDEFGHIJKLMNOPQRSTUVWXY22")
}

func TestAClosedFolderIsAnError(t *testing.T) {
	root, dir := openRoot(t)
	if err := CreateIn(root, "file", []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	root.Close()
	for what, err := range map[string]error{
		"create":  CreateIn(root, "other", nil, 0o600),
		"replace": ReplaceIn(root, "file", nil, func() error { return nil }),
		"remove":  RemoveAbandoned(root, time.Now()),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	only(t, dir, "file")
}
