// Command escape shows that the tests of the protections can fail: it takes out one protection after the other, each by a patch, and
// demands that the test that the patch names turns red. Run it by "make test-escape", as root; with an argument, "go run ./test/escape 'journal*'",
// it takes these patches only.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A protection is a patch that takes it out, with the row of docs/security.md and the test that belong to it.
type protection struct {
	patch              string // its absolute path
	row, folder, tests string // of its first two lines: "Row: …", "Test: FOLDER NAME"
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "escape:", err)
		os.Exit(1)
	}
}

func run() error {
	which := "*"
	if len(os.Args) > 1 {
		which = os.Args[1]
	}
	protections, err := readProtections("test/escape/patches", which)
	if err != nil {
		return err
	}
	tree, err := os.MkdirTemp("", "escape")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	if err := sh(".", `git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$0"`, tree); err != nil {
		return fmt.Errorf("copy the tree: %w", err)
	}
	if err := allGreen(tree, protections); err != nil {
		return err
	}
	untested := 0
	for _, p := range protections {
		verdict := "red, as it must be"
		if err := p.turnsRed(tree); err != nil {
			untested++
			verdict = "NOT TESTED: " + err.Error()
		}
		fmt.Printf("%s: %s\n", p.row, verdict)
	}
	fmt.Printf("%d protections, %d not tested\n", len(protections), untested)
	if untested > 0 {
		return errors.New("not every protection is tested")
	}
	return nil
}

func readProtections(folder, which string) ([]protection, error) {
	paths, err := filepath.Glob(filepath.Join(folder, which+".patch"))
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("no patches %s in %s", which, folder)
	}
	header := regexp.MustCompile(`^Row: (.+)\nTest: (\S+) (\S+)\n`)
	var list []protection
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		match := header.FindStringSubmatch(string(data))
		if match == nil {
			return nil, fmt.Errorf("%s: does not begin with the lines Row: and Test:", path)
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		list = append(list, protection{path, match[1], match[2], match[3]})
	}
	return list, err
}

// allGreen checks that without a patch all tests are there and pass.
func allGreen(tree string, protections []protection) error {
	names := make(map[string][]string)
	for _, p := range protections {
		name, _, _ := strings.Cut(p.tests, "/")
		names[p.folder] = append(names[p.folder], name)
	}
	for folder, tests := range names {
		output, err := test(tree, folder, "("+strings.Join(tests, "|")+")")
		if err != nil {
			return fmt.Errorf("without a patch: %w\n%s", err, output)
		}
		for _, name := range tests {
			if !bytes.Contains(output, []byte("--- PASS: "+name+" ")) {
				return fmt.Errorf("%s has no test %s, or it is skipped\n%s", folder, name, output)
			}
		}
	}
	return nil
}

// turnsRed applies the patch, runs the test, and takes the patch back.
func (p protection) turnsRed(tree string) error {
	if err := sh(tree, `git apply "$0"`, p.patch); err != nil {
		return err
	}
	output, err := test(tree, p.folder, p.tests)
	if err := sh(tree, `git apply --reverse "$0"`, p.patch); err != nil {
		return err
	}
	name, _, _ := strings.Cut(p.tests, "/")
	switch {
	case err == nil:
		return fmt.Errorf("%s passes without the protection", p.tests)
	case !bytes.Contains(output, []byte("--- FAIL: "+name+" ")):
		return fmt.Errorf("%s does not run: %s", p.tests, output)
	}
	return nil
}

// test runs the tests that the pattern matches whole, with the kernel.
func test(tree, folder, pattern string) ([]byte, error) {
	name, sub, hasSub := strings.Cut(pattern, "/")
	pattern = "^" + name + "$"
	if hasSub {
		pattern += "/^" + sub + "$"
	}
	cmd := exec.Command("go", "test", "-count=1", "-v", "-timeout=5m", "-run", pattern, folder)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "NSPAWNKIT_KERNEL_TESTS=1", "CGO_ENABLED=0")
	return cmd.CombinedOutput()
}

func sh(directory, script string, arguments ...string) error {
	cmd := exec.Command("sh", append([]string{"-ec", script}, arguments...)...)
	cmd.Dir = directory
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, bytes.TrimSpace(output))
	}
	return nil
}
