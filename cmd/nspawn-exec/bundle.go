package main

import (
	"fmt"

	"nspawnkit/settings"
)

// readBundle reads the OCI bundle that the container runs from, if it does, and makes its root directory that of the command
// line. Without one the bundle is empty.
func readBundle(cmd *settings.CommandLine) (*settings.Bundle, []settings.Problem, error) {
	if cmd.Bundle == "" {
		return &settings.Bundle{}, nil, nil
	}
	directory, err := resolve(cmd.Bundle)
	if err != nil {
		return nil, nil, fmt.Errorf("--oci-bundle: %w", err)
	}
	bundle, problems := settings.ReadBundle(readRoot(), directory)
	cmd.Bundle, cmd.Directory = directory, bundle.Root
	cmd.Settings = settings.SettingsYes // the bundle is read instead of a file, and the command line wins
	return bundle, problems, nil
}
