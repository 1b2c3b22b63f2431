package keystore

import (
	"strings"
	"time"

	"imzo/pki/cert"
)

// aliasTime is how E-IMZO writes times in aliases; sites turn it into
// JavaScript dates by replacing the dots and the space.
const aliasTime = "2006.01.02 15:04:05"

// Alias returns the alias under which E-IMZO stores a key, which sites take
// apart to show its owner:
//
//	cn=...,name=...,1.2.860.3.16.1.2=...,serialnumber=785d0338,validfrom=2024.05.01 17:49:48,validto=2026.05.01 17:49:48
//
// It is the subject as BouncyCastle prints it, the serial number in hex and
// the validity in loc (nil means UTC; Asia/Tashkent is usual), in the lower
// case that Java's keystore gives every alias.
func Alias(c *cert.Certificate, loc *time.Location) string {
	if loc == nil {
		loc = time.UTC
	}
	return lower(strings.Join([]string{
		c.Subject.String(),
		"SERIALNUMBER=" + c.SerialHex(),
		"VALIDFROM=" + c.NotBefore.In(loc).Format(aliasTime),
		"VALIDTO=" + c.NotAfter.In(loc).Format(aliasTime),
	}, ","))
}
