package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestColors asks for them, as the answer is not printed on a terminal. JSON has none.
func TestColors(t *testing.T) {
	root := t.TempDir()
	t.Setenv("NSPAWNKIT_ROOT", root)
	t.Setenv("SYSTEMD_COLORS", "1")
	if err := os.MkdirAll(filepath.Join(root, "var/lib/nspawnkit/network"), 0o755); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"leases": "\x1b[0;4mLINK  ADDRESS  ", "leases --json": "[]\n", "--help": "\x1b[0;4mVerbs\x1b[0m:\n", "no": "\x1b[0;1;31mnetworkd-lite: unknown verb",
	} {
		var output bytes.Buffer
		run(strings.Fields(line), &output, &output)
		if !strings.HasPrefix(output.String(), want) && line != "--help" || !strings.Contains(output.String(), want) {
			t.Errorf("%s: %q", line, output.String())
		}
	}
}
