package kernel

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// doorName is the name of the process that enters a user namespace.
const doorName = "(nspawn-door)"

// enter starts a program, with what process says, as the first process of new namespaces in the user namespace that is there. A
// program of Go has threads, and a process with threads cannot enter one. So an executable like the stub init goes first: it enters
// the namespace, clones the first process, not as a child of its own but of this process, and ends.
func (s *Stage) enter(process *syscall.ProcAttr, program *os.File, arguments []string) (*Child, error) {
	answers, answer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer answers.Close()
	defer answer.Close()
	door, err := doorFile(process, arguments)
	if err != nil {
		return nil, err
	}
	defer door.Close()
	process.Files = append(process.Files, s.Namespaces.Users.Fd(), program.Fd(), answer.Fd())
	process.Sys.Cloneflags, process.Sys.PidFD = 0, nil
	pid, err := syscall.ForkExec(fmt.Sprintf("/proc/self/fd/%d", door.Fd()), []string{doorName}, process)
	if err != nil {
		return nil, fmt.Errorf("start another process: %w", err)
	}
	answer.Close()
	var first int64
	err = binary.Read(answers, binary.NativeEndian, &first)
	for { // which is soon: there is no need to poll
		if _, waitErr := syscall.Wait4(pid, nil, 0, nil); waitErr != syscall.EINTR {
			break
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("enter user namespace: no answer: %w", err)
	case first < 0:
		return nil, fmt.Errorf("enter user namespace: %w", syscall.Errno(-first))
	}
	return ChildOf(int(first))
}

// doorFile returns the executable. Behind the files of process it gets the user namespace, the program, and where it writes the number
// of the first process to, or below zero the error.
func doorFile(process *syscall.ProcAttr, arguments []string) (*os.File, error) {
	b := &stubBuilder{addresses: make(map[string]uint64)}
	users, program, answer := uint64(len(process.Files)), uint64(len(process.Files)+1), uint64(len(process.Files)+2)
	steps := [][]uint64{
		{unix.SYS_SETNS, users, unix.CLONE_NEWUSER}, {unix.SYS_CLOSE, users},
		{unix.SYS_SETGROUPS, 0, 0}, {unix.SYS_SETRESGID, 0, 0, 0}, {unix.SYS_SETRESUID, 0, 0, 0}, // its root
	}
	for i, step := range steps {
		b.call(step[0], step[1:]...)
		b.equal(0, fmt.Sprint("after ", i))
		b.jump("answer")
		b.mark(fmt.Sprint("after ", i))
	}
	b.call(unix.SYS_CLONE, uint64(process.Sys.Cloneflags)|unix.CLONE_PARENT|uint64(unix.SIGCHLD))
	b.equal(0, "first process")
	b.mark("answer")
	b.addresses["result"] = b.put(uint64(0))
	b.store("result")
	b.call(unix.SYS_WRITE, answer, b.addresses["result"], 8)
	b.exit(0)

	b.mark("first process")
	b.call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL))
	b.call(unix.SYS_SETSID)
	b.call(unix.SYS_CLOSE, answer)
	b.execute(program, arguments, process.Env)
	data, err := b.executable()
	if err != nil {
		return nil, err
	}
	return newSealedFile(doorName, data, unix.MFD_EXEC)
}
