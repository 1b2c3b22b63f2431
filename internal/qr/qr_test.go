package qr

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"imzo/internal/testpki/peer"
)

// texts are what codes are made of here: hex, which is how keys come, and the
// kinds of text that QR codes encode each in its own way.
var texts = map[string]string{
	"hex in lower case": strings.Repeat("e7310101fe69b6e0", 8) + "6c5102de",
	"hex in upper case": strings.Repeat("E7310101FE69B6E0", 8) + "6C5102DE",
	"digits":            "3141592653589793",
	"a link":            "https://example.org/?a=b&c=d",
	"one letter":        "a",
	"a long text":       strings.Repeat("0123456789abcdef", 100),
}

func encode(t *testing.T, text string) *Code {
	t.Helper()
	c, err := Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read lets zbarimg read an image.
func read(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), peer.ZBar(t), "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v", err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

func TestZBarReadsOurImages(t *testing.T) {
	for name, text := range texts {
		for _, scale := range []int{3, 8} {
			data, err := encode(t, text).PNG(scale)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, data); got != text {
				t.Errorf("%s at %d: zbarimg reads %q", name, scale, got)
			}
		}
	}
}

// photograph makes an image of a text of block characters, as a terminal with
// these colours shows it.
func photograph(t *testing.T, text string, foreground, background color.Color) []byte {
	t.Helper()
	const scale = 4
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	width := len([]rune(lines[0]))
	img := image.NewPaletted(image.Rect(0, 0, width*scale, 2*len(lines)*scale), color.Palette{background, foreground})
	paint := func(x, y int) {
		for i := range scale * scale {
			img.SetColorIndex(x*scale+i%scale, y*scale+i/scale, 1)
		}
	}
	for y, line := range lines {
		for x, r := range []rune(line) {
			if !strings.ContainsRune("█▀▄ ", r) || x >= width {
				t.Fatalf("character %q, %d of line %d", r, x, y)
			}
			if r == '█' || r == '▀' {
				paint(x, 2*y)
			}
			if r == '█' || r == '▄' {
				paint(x, 2*y+1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestZBarReadsOurTerminals(t *testing.T) {
	for name, text := range texts {
		c := encode(t, text)
		if got := read(t, photograph(t, c.Text(), color.White, color.Black)); got != text {
			t.Errorf("%s in light text: zbarimg reads %q", name, got)
		}
		lines := strings.Split(strings.TrimSuffix(c.ANSI(), "\n"), "\n")
		for i, line := range lines {
			body, begun := strings.CutPrefix(line, "\x1b[30;107m")
			body, ended := strings.CutSuffix(body, "\x1b[0m")
			if !begun || !ended || len([]rune(body)) != c.Side() {
				t.Fatalf("%s: line %q", name, line)
			}
			lines[i] = body
		}
		if got := read(t, photograph(t, strings.Join(lines, "\n"), color.Black, color.White)); got != text {
			t.Errorf("%s in colours: zbarimg reads %q", name, got)
		}
	}
}

func TestAQRKeyFitsATerminal(t *testing.T) {
	if side := encode(t, texts["hex in lower case"]).Side(); side > 60 {
		t.Errorf("%d columns", side)
	}
}

func TestCodesHaveTheirQuietZone(t *testing.T) {
	data, err := encode(t, "a").PNG(1)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	const version1 = 21
	if side := img.Bounds().Dx(); side != version1+8 || img.Bounds().Dy() != side {
		t.Errorf("%v", img.Bounds())
	}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			border := x < 4 || y < 4 || x >= 4+version1 || y >= 4+version1
			corner := (x == 4 || x == 3+version1) && y == 4 || x == 4 && y == 3+version1
			level, _, _, _ := img.At(x, y).RGBA()
			if border && level == 0 || corner && level != 0 {
				t.Errorf("module %d, %d has %d", x, y, level)
			}
		}
	}
}

func TestWhatCannotBeDrawnIsRefusedWithoutRepeatingIt(t *testing.T) {
	for _, text := range []string{"", strings.Repeat("secret", 1000)} {
		if c, err := Encode(text); !errors.Is(err, ErrText) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d characters: %v, %.100v", len(text), c, err)
		}
	}
	for _, scale := range []int{-1, 0, maxScale + 1} {
		if _, err := encode(t, "a").PNG(scale); !errors.Is(err, ErrScale) {
			t.Errorf("scale %d: %v", scale, err)
		}
	}
}
