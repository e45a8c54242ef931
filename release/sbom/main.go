// Command sbom prints the bill of materials of programs written in Go, in the format of CycloneDX 1.6 (ECMA-424): which modules
// each one contains, by what the linker has written into it.
//
//	sbom VERSION PROGRAM…
//
// It prints the same for the same programs. The time is $SOURCE_DATE_EPOCH.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "sbom VERSION PROGRAM…")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(version string, programs []string) error {
	d, err := describe(version, programs)
	if err != nil {
		return err
	}
	if given := os.Getenv("SOURCE_DATE_EPOCH"); given != "" {
		epoch, err := strconv.ParseInt(given, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		d.Metadata.Timestamp = time.Unix(epoch, 0).UTC().Format(time.RFC3339)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n", text)
	return err
}
