package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"nspawnkit/network/doctor"
	"nspawnkit/settings"
	"nspawnkit/terminal"
)

// examine tries the way of packets of a container, and prints what it found; it fails where a hop does.
func examine(p paths, args []string, stdout io.Writer) error {
	name, asJSON := "", false
	for _, arg := range args {
		switch {
		case arg == "--json":
			asJSON = true
		case name != "" || strings.HasPrefix(arg, "-"):
			return fmt.Errorf("unknown argument %q; see VERBS in networkd-lite(8)", arg)
		case !settings.ValidMachineName(arg):
			return fmt.Errorf("%q is not the name of a container", arg)
		default:
			name = arg
		}
	}
	examination := examination{paths: p, facts: &doctor.Facts{Container: name, Sysctls: map[string]string{}}}
	if err := examination.gather(); err != nil {
		return err
	}
	report := doctor.Examine(examination.facts)
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "\t")
		if err := encoder.Encode(report); err != nil {
			return err
		}
	} else {
		style := terminal.StyleOf(stdout, os.LookupEnv)
		fmt.Fprint(stdout, report.Marked(style.Good, style.Bad))
	}
	if report.Failed != "" {
		return errors.New("the first hop that fails: " + report.Failed)
	}
	return nil
}
