package verify_test

import (
	"encoding/json"
	"fmt"
	"os"

	"imzo/verify"
)

// Evidence that was stored is judged again without network, also by a stricter
// policy. [verify.Document] collects and judges in one.
func ExampleEvidence_Judge() {
	stored, err := os.ReadFile("testdata/evidence.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	var evidence verify.Evidence
	if err := json.Unmarshal(stored, &evidence); err != nil {
		fmt.Println(err)
		return
	}
	report := evidence.Judge(verify.Policy{})
	fmt.Println(report.Indication)
	for _, s := range report.Signers {
		fmt.Println(s.Certificate.Subject.Get("CN"), "at", s.SigningDate.Format("2006-01-02 15:04"), "by", s.SigningDateSource)
	}
	report = evidence.Judge(verify.Policy{CheckCARevocation: true})
	fmt.Println(report.FirstFailure())
	// Output:
	// TOTAL-PASSED
	// IVANOV IVAN IVANOVICH at 2026-01-01 11:59 by timeStamp
	// signer 1: revocation: TRY_LATER: the status was not asked for
}
