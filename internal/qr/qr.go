// Package qr draws QR codes (ISO/IEC 18004) as PNG images and as text for
// terminals.
//
//	code, err := qr.Encode("https://example.org/")
//	if err != nil { ... }
//	png, err := code.PNG(8)
//	fmt.Print(code.ANSI())
//
// It chooses the smallest version for the text at the error correction level
// M, which restores 15 % of the code. It reads no codes, and knows nothing of
// what they hold: an error never repeats the text, which may be a key.
package qr

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// ErrText is returned for a text that no code holds: an empty one, or one of
// more than some two thousand octets.
var ErrText = errors.New("text that no QR code holds")

// ErrScale is wrapped for images that nobody can have meant.
var ErrScale = errors.New("a module of a QR code has 1 to 64 pixels")

const (
	// quietZone is the white border, in modules, that readers need (ISO/IEC
	// 18004 6.3.8).
	quietZone = 4
	// maxScale keeps the largest code below 150 megapixels.
	maxScale = 64
)

// Code is a QR code.
type Code struct {
	size int // modules a side, without the quiet zone
	dark []bool
}

// Encode makes the code of a text.
func Encode(text string) (*Code, error) {
	if text == "" {
		return nil, ErrText
	}
	img, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, ErrText // the library's error holds the text
	}
	c := &Code{size: img.Bounds().Dx()}
	for y := range c.size {
		for x := range c.size {
			level, _, _, _ := img.At(x, y).RGBA()
			c.dark = append(c.dark, level == 0)
		}
	}
	return c, nil
}

// Side returns the modules of a side with the quiet zone, which is the width
// of a line of [Code.ANSI].
func (c *Code) Side() int { return c.size + 2*quietZone }

// at tells whether a module is dark; those of the quiet zone, and all beyond,
// are light.
func (c *Code) at(x, y int) bool {
	x, y = x-quietZone, y-quietZone
	return 0 <= x && x < c.size && 0 <= y && y < c.size && c.dark[y*c.size+x]
}

// PNG returns an image with the quiet zone, in black and white, of scale pixels
// a module.
func (c *Code) PNG(scale int) ([]byte, error) {
	if scale < 1 || scale > maxScale {
		return nil, fmt.Errorf("%w, not %d", ErrScale, scale)
	}
	side := c.Side() * scale
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		row := img.Pix[y*img.Stride:][:side]
		for x := range row {
			if c.at(x/scale, y/scale) {
				row[x] = 1
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// ANSI draws the code for a terminal, two modules a character, in black on
// white by escape sequences (ECMA-48 8.3.117), whatever its colours are.
func (c *Code) ANSI() string {
	const blackOnWhite, reset = "\x1b[30;107m", "\x1b[0m"
	var b strings.Builder
	for y := 0; y < c.Side(); y += 2 {
		b.WriteString(blackOnWhite)
		for x := range c.Side() {
			b.WriteRune(halves(c.at(x, y), c.at(x, y+1)))
		}
		b.WriteString(reset + "\n")
	}
	return b.String()
}

// Text draws the code without escape sequences, two modules a character, for
// light text on a dark ground: characters are drawn where the code is light.
func (c *Code) Text() string {
	var b strings.Builder
	for y := 0; y < c.Side(); y += 2 {
		for x := range c.Side() {
			b.WriteRune(halves(!c.at(x, y), !c.at(x, y+1)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// halves returns the block whose upper and lower half are drawn or not.
func halves(upper, lower bool) rune {
	switch {
	case upper && lower:
		return '█'
	case upper:
		return '▀'
	case lower:
		return '▄'
	}
	return ' '
}
