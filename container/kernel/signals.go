package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Signals are those that a program takes from a channel.
type Signals struct {
	C      chan os.Signal
	list   []os.Signal
	holder int // the process that holds them back; 0: there is none
}

// TakeSignals takes these signals from now on, also those that somebody holds back since the program before: see [HandOver].
func TakeSignals(holder int, list ...os.Signal) *Signals {
	s := &Signals{C: make(chan os.Signal, 8), list: list, holder: holder}
	s.Take()
	return s
}

// Take takes them again after [Signals.Hold].
func (s *Signals) Take() {
	signal.Notify(s.C, s.list...)
	if s.holder == 0 {
		return
	}
	_ = unix.Kill(os.Getpid(), holdNoMore)
	for {
		if _, err := unix.Wait4(s.holder, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	s.holder = 0
}

// HolderName is argv[0] of the process that holds back signals, see [HoldSignals]; their numbers are the other arguments.
const HolderName = "(nspawn-exec-signals)"

// holdNoMore is the signal by which a program tells its holder that it takes signals itself, SIGRTMAX. Nobody else sends it, as the
// service manager sends SIGCONT; no other one makes it superfluous; and the runtime of Go does not end of it.
const holdNoMore = syscall.Signal(64)

// Hold has another process hold back the signals until somebody takes them again, for [HandOver]. Blocking them does not help: the
// runtime of the next program begins with taking those that end a program, and would end.
func (s *Signals) Hold() error {
	ready, its, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	arguments := []string{HolderName}
	for _, number := range s.list {
		arguments = append(arguments, strconv.Itoa(int(number.(syscall.Signal))))
	}
	s.holder, err = syscall.ForkExec("/proc/self/exe", arguments, &syscall.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=1"}, Files: []uintptr{its.Fd(), 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	its.Close()
	if err != nil {
		s.holder = 0
		return fmt.Errorf("start holder of signals: %w", err)
	}
	if _, err := io.ReadFull(ready, make([]byte, 1)); err != nil {
		s.Take()
		return errors.New("nobody can hold back signals: this process cannot be traced")
	}
	// Each thread takes part in this call in a handler, so it is in no other one any more.
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); errno != 0 {
		s.Take()
		return fmt.Errorf("wait for signals that have come: %w", errno)
	}
	signal.Stop(s.C) // then all that have come are in the channel
	for {
		select {
		case number := <-s.C:
			_ = unix.Kill(os.Getpid(), number.(syscall.Signal))
		default:
			return nil
		}
	}
}

// HoldSignals is the program of the holder. It traces all threads of its parent, which stop for each signal that they are about to take
// (ptrace(2)), and has the parent get what it has held back when that takes signals again, perhaps in another program. With the
// holder the tracing ends.
//
// A signal that stops a process is dropped: when the thread that is about to take it ends by execve(2), the kernel sends it again, to the
// next program (ptrace_signal in kernel/signal.c), and with that takes away a SIGCONT that has come meanwhile. Nobody would end that stop.
func HoldSignals(arguments []string) {
	var list, held []syscall.Signal
	stopping := []syscall.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}
	for _, text := range arguments {
		number, _ := strconv.Atoi(text) // the supervisor wrote it
		list = append(list, syscall.Signal(number))
		signal.Ignore(syscall.Signal(number)) // in a process group with the supervisor or not
	}
	parent := os.Getppid()
	if err := seizeThreads(parent); err != nil {
		return
	}
	_, _ = os.Stdin.WriteString("r") // the pipe
	for {
		var status unix.WaitStatus
		thread, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR) || err == nil && !status.Stopped():
			continue
		case err != nil:
			return // the parent has ended
		}
		number := status.StopSignal()
		switch {
		case status>>16 != 0 && number != unix.SIGTRAP: // stopped as by SIGSTOP: it waits for SIGCONT
			_ = ptrace(unix.PTRACE_LISTEN, thread, 0)
			continue
		case status>>16 != 0: // a thread begins
			number = 0
		case number == holdNoMore:
			_ = unix.PtraceCont(thread, 0)
			for _, number := range held {
				_ = unix.Kill(parent, number)
			}
			return
		case slices.Contains(stopping, number):
			number = 0
		case slices.Contains(list, number):
			if !slices.Contains(held, number) {
				held = append(held, number)
			}
			number = 0
		}
		_ = unix.PtraceCont(thread, int(number))
	}
}

// seizeThreads traces all threads of a process, and those that they will make.
func seizeThreads(process int) error {
	if err := ptrace(unix.PTRACE_SEIZE, process, unix.PTRACE_O_TRACECLONE); err != nil { // the main thread
		return err
	}
	for count := 0; ; {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", process))
		if err != nil || len(entries) == count {
			return err
		}
		count = len(entries)
		for _, entry := range entries {
			thread, _ := strconv.Atoi(entry.Name())
			_ = ptrace(unix.PTRACE_SEIZE, thread, unix.PTRACE_O_TRACECLONE) // it has ended, or is traced since it was made
		}
	}
}

func ptrace(request, thread int, data uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(thread), 0, data, 0, 0); errno != 0 {
		return fmt.Errorf("trace thread %d: %w", thread, errno)
	}
	return nil
}
