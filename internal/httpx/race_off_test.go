//go:build !race

package httpx

const raceDetector = false
