package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// File is an open file that a program can leave to the one that replaces it: see [HandOver].
type File struct{ *os.File }

// leftFile is what the next program is told of it.
type leftFile struct {
	Descriptor int
	Name       string
}

// MarshalJSON also keeps the file open in the next program.
func (f File) MarshalJSON() ([]byte, error) {
	fd := descriptor(f.File)
	if err := setCloseOnExec(fd, false); err != nil {
		return nil, fmt.Errorf("hand over %s: %w", f.Name(), err)
	}
	return json.Marshal(leftFile{fd, f.Name()})
}

// UnmarshalJSON takes over a file of the program before.
func (f *File) UnmarshalJSON(data []byte) error {
	var left leftFile
	err := json.Unmarshal(data, &left)
	f.File = os.NewFile(uintptr(left.Descriptor), left.Name)
	return err
}

// stateVariable tells the next program three things with spaces between: the descriptor of its state, the process that holds back
// signals, and its name as of ps(1), which execve(2) takes from the path. Only the supervisor's own environment has it.
const stateVariable = "NSPAWNKIT_STATE"

// ownName is where the name is read and written.
const ownName = "/proc/self/comm"

// HandOver replaces this program with itself, as a fresh process of the same number, which gets the state by [HandedOver], with
// the files in it that were marshalled, and the signals that are held. It must run on the main thread, or else the children die. It
// returns only if it failed.
func HandOver(signals *Signals, state *os.File) error {
	name, err := os.ReadFile(ownName)
	if err != nil {
		return err
	}
	fd := int(state.Fd())
	if err := setCloseOnExec(fd, false); err != nil {
		return err
	}
	// A program that mostly waits starts fewer threads with one processor.
	environment := WithVariable(os.Environ(), "GOMAXPROCS", "1")
	environment = WithVariable(environment, stateVariable, fmt.Sprintf("%d %d %s", fd, signals.holder, strings.TrimSuffix(string(name), "\n")))
	return fmt.Errorf("execute the own program again: %w", syscall.Exec("/proc/self/exe", os.Args, environment))
}

// WithVariable changes an environment.
func WithVariable(environment []string, name, value string) []string {
	others := slices.DeleteFunc(environment, func(variable string) bool { return strings.HasPrefix(variable, name+"=") })
	return append(others, name+"="+value)
}

// KeepNothing leaves no file open for the next program after all.
func KeepNothing() error { return unix.CloseRange(firstSocket, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) }

// HandedOver returns the state that the program before has left, nil if there was none, and who holds back signals.
func HandedOver() (state *os.File, holder int, err error) {
	text, found := os.LookupEnv(stateVariable)
	if !found {
		return nil, 0, nil
	}
	var fd int
	fields := strings.SplitN(text, " ", 3)
	if len(fields) != 3 {
		err = errors.New("not of this program")
	}
	if err == nil {
		fd, err = strconv.Atoi(fields[0])
	}
	if err == nil {
		holder, err = strconv.Atoi(fields[1])
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0) // it is a file as of NewSealedFile
	}
	if err == nil {
		err = errors.Join(os.Unsetenv(stateVariable), KeepNothing(), os.WriteFile(ownName, []byte(fields[2]), 0))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("$%s=%s: %w", stateVariable, text, err)
	}
	return os.NewFile(uintptr(fd), "state"), holder, nil
}
