package cert_test

import (
	"errors"
	"fmt"
	"os"
	"time"

	"imzo/pki/cert"
)

func ExampleBuildPath() {
	var certs []*cert.Certificate
	for _, name := range []string{"testdata/uz-production-ca.pem", "testdata/uz-production-root.pem"} {
		data, err := os.ReadFile(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		parsed, err := cert.ParseAll(data)
		if err != nil {
			fmt.Println(err)
			return
		}
		certs = append(certs, parsed...)
	}
	ca, root := certs[0], certs[1]
	for _, year := range []int{2026, 2036} {
		path, err := cert.BuildPath(ca, cert.PathOptions{
			Anchors: cert.NewPool(root),
			At:      time.Date(year, 1, 15, 0, 0, 0, 0, time.UTC),
		})
		var failure *cert.PathError
		switch {
		case errors.As(err, &failure):
			fmt.Println(year, failure.Reason)
		default:
			fmt.Println(year, "valid under", path.Anchor().Subject.Get("CN"))
		}
	}
	// Output:
	// 2026 valid under mitc.uz
	// 2036 CA certificate expired
}

func ExampleName_String() {
	n, err := cert.ParseName(`CN=IVANOV IVAN,O="SINOV, MCHJ",1.2.860.3.16.1.2=30000000000000`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(n)
	fmt.Println(n.Get("O"))
	fmt.Println(n.Map()["1.2.860.3.16.1.2"])
	// Output:
	// CN=IVANOV IVAN,O=SINOV\, MCHJ,1.2.860.3.16.1.2=30000000000000
	// SINOV, MCHJ
	// 30000000000000
}
