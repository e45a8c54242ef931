package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrWrongKey says that a key opens nothing.
var ErrWrongKey = errors.New("the password or key is wrong")

// mappingPrefix begins the names of our devices of the device mapper. The number of the process that makes one follows, and a
// number of the device.
const mappingPrefix = "nspawnkit-"

// OpenVerity makes a block device of data that is checked with hashes and their root, in hexadecimal digits, by dm-verity. The
// kernel checks the signature of the root hash, nil for none, against its keyrings.
func OpenVerity(data, hashes *BlockDevice, rootHash string, signature []byte) (*BlockDevice, error) {
	arguments := []string{"open", data.Path(), "", hashes.Path(), rootHash}
	var files []*os.File
	if signature != nil {
		file, err := NewSealedFile("signature", signature)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		files = append(files, file)
		arguments = append(arguments, "--root-hash-signature=/proc/self/fd/3") // the first after the standard ones
	}
	return openMapping("veritysetup", arguments, 2, nil, files)
}

// OpenLUKS makes a block device of an encrypted one: [ErrWrongKey] if it has no such key.
func OpenLUKS(device *BlockDevice, key []byte, readOnly bool) (*BlockDevice, error) {
	arguments := []string{"open", "--type=luks", "--key-file=-", "--allow-discards", device.Path(), ""}
	if readOnly {
		arguments = append(arguments, "--readonly")
	}
	return openMapping("cryptsetup", arguments, 5, key, nil)
}

// openMapping lets a program of cryptsetup make a device, whose name is the argument of that index, and has it go with its last
// user.
func openMapping(program string, arguments []string, nameIndex int, input []byte, files []*os.File) (*BlockDevice, error) {
	name := freeMapping()
	arguments[nameIndex] = name
	if err := runSetup(program, arguments, input, files); err != nil {
		return nil, err
	}
	file, err := os.OpenFile("/dev/mapper/"+name, os.O_RDONLY, 0)
	deferred := runSetup(program, []string{"close", "--deferred", name}, nil, nil)
	if err != nil {
		return nil, errors.Join(err, deferred)
	}
	if deferred != nil {
		file.Close()
		return nil, errors.Join(deferred, runSetup(program, []string{"close", name}, nil, nil))
	}
	return &BlockDevice{file}, nil
}

// freeMapping returns a name that no device has: the others of this process have lower numbers.
func freeMapping() string {
	used := make(map[string]bool)
	for _, name := range mappings() {
		used[name] = true
	}
	for n := 0; ; n++ {
		if name := fmt.Sprintf("%s%d-%d", mappingPrefix, os.Getpid(), n); !used[name] {
			return name
		}
	}
}

// mappings lists the names of devices of the device mapper.
func mappings() (names []string) {
	files, _ := filepath.Glob("/sys/block/dm-*/dm/name")
	for _, file := range files {
		if name, err := os.ReadFile(file); err == nil {
			names = append(names, strings.TrimSpace(string(name)))
		}
	}
	return names
}

// RemoveStaleMappings removes devices of ours whose process was killed before they could go by themselves.
func RemoveStaleMappings() error {
	var problems []error
	for _, name := range mappings() {
		numbers, ours := strings.CutPrefix(name, mappingPrefix)
		process, _, _ := strings.Cut(numbers, "-")
		if pid, err := strconv.Atoi(process); ours && err == nil && pid != os.Getpid() && !ProcessExists(pid) {
			problems = append(problems, runSetup("cryptsetup", []string{"close", "--deferred", name}, nil, nil))
		}
	}
	return errors.Join(problems...)
}

// runSetup runs a program of cryptsetup.
func runSetup(program string, arguments []string, input []byte, files []*os.File) error {
	path, err := lookProgram(program)
	if err != nil {
		return fmt.Errorf("%s is missing: install cryptsetup (Debian: cryptsetup-bin): %w", program, err)
	}
	command := exec.Command(path, arguments...)
	command.Stdin, command.ExtraFiles = bytes.NewReader(input), files
	output, err := command.CombinedOutput()
	const noPermission = 2 // see "RETURN CODES" of cryptsetup(8)
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == noPermission && input != nil:
		return ErrWrongKey
	case len(bytes.TrimSpace(output)) > 0:
		return fmt.Errorf("%s %s: %w: %s", program, arguments[0], err, lastLine(output))
	}
	return fmt.Errorf("%s %s: %w", program, arguments[0], err)
}

// AskPassword asks the user for a password, on the terminal or by the agents of systemd-ask-password(1).
func AskPassword(question string) ([]byte, error) {
	if !HasSystemd() && !IsTerminal(os.Stdin) {
		return nil, errors.New("there is no terminal to ask for a password")
	}
	path, err := lookProgram("systemd-ask-password")
	if err != nil {
		return nil, fmt.Errorf("cannot ask for a password: %w", err)
	}
	command := exec.Command(path, "--icon=drive-harddisk", "--id=dissect", "--keyname=dissect", "--timeout=0", question)
	command.Stdin, command.Stderr = os.Stdin, os.Stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("ask for a password: %w", err)
	}
	return bytes.TrimSuffix(output, []byte("\n")), nil
}
