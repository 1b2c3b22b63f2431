package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCreateMakesAWholeFileOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var made atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			switch err := Create(path, []byte{byte(i), byte(i)}, 0o640); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 2 || b[0] != b[1] {
		t.Errorf("content %v, %v", b, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestCreateTellsWhatIsWrong(t *testing.T) {
	if err := Create(filepath.Join(t.TempDir(), "none", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	dir := t.TempDir()
	if err := Create(dir, nil, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder in the place: %v", err)
	}
}
