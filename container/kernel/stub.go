package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"

	"nspawnkit/container/capability"
	"nspawnkit/container/seccomp"

	"golang.org/x/sys/unix"
)

// Stub is process 1 of a container whose payload is process 2: it reaps processes and answers signals (systemd-nspawn(1), --as-pid2).
// A Go program would have threads, which take the numbers from 2 on, and some megabytes. So the stub is an executable of a few pages
// that is made here: a list of system calls, and a loop of machine code that makes them.
//
// It starts the stage as process 2 and waits until that asks it to give up its privileges: see [InsideStage.ReleaseStub].
type Stub struct {
	Capabilities capability.Set // that the container keeps
	Environment  []string       // for /proc/1/environ
}

// stubName is the name of the process.
const stubName = "(sd-stubinit)"

// stubPatience is how long the payload may take to end after a signal, in seconds: as long as systemd-nspawn gives it.
const stubPatience = 90

// The signals that ask for a reboot or a power-off, as systemd(1) takes them: SIGINT, and those from SIGRTMIN on, which is 34 to the C
// library. The others, SIGTERM and SIGHUP among them, have no meaning to the stub.
func stubSignals() (reboot, powerOff []unix.Signal) {
	const rtmin = unix.Signal(34)
	return []unix.Signal{unix.SIGINT, rtmin + 5, rtmin + 6, rtmin + 15, rtmin + 16},
		[]unix.Signal{rtmin + 3, rtmin + 4, rtmin + 13, rtmin + 14}
}

// file returns the executable, for a stage with that many sockets.
func (s Stub) file(sockets int, arguments []string) (*os.File, error) {
	b := &stubBuilder{addresses: make(map[string]uint64), sockets: uint64(sockets)}
	b.start(arguments)
	if err := b.confine(s.Capabilities); err != nil {
		return nil, err
	}
	b.run()
	if b.numbered != stubNumbers {
		return nil, errors.New("stub init: the list has another size")
	}
	data, err := b.executable()
	if err != nil {
		return nil, err
	}
	return newSealedFile(stubName, data, unix.MFD_EXEC)
}

// prepare makes the stub what is executed, and program what it executes itself. end closes what the process has got then.
func (s *Stub) prepare(process *syscall.ProcAttr, program *os.File, arguments []string) (stub *os.File, end func(), err error) {
	ofStage, ofStub, err := NewChannel()
	if err != nil {
		return nil, nil, err
	}
	sockets := len(process.Files) - stubOfStage
	if stub, err = s.file(sockets, arguments); err != nil {
		ofStage.Close()
		ofStub.Close()
		return nil, nil, err
	}
	process.Env = s.Environment
	process.Files = append(process.Files, ofStage.file.Fd(), ofStub.file.Fd(), program.Fd())
	return stub, func() { ofStage.Close(); ofStub.Close(); stub.Close() }, nil
}

// start starts process 2.
func (b *stubBuilder) start(arguments []string) {
	const sizeofSignals, none = 8, 0
	b.call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL))
	b.call(unix.SYS_PRCTL, unix.PR_SET_NAME, b.putText(stubName))
	b.call(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, b.put(^uint64(0)), none, sizeofSignals)
	b.call(unix.SYS_CLONE, uint64(unix.SIGCHLD))
	b.positive("parent")
	b.equal(0, "child")
	b.exit(1)

	b.mark("child")
	b.call(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, b.put(uint64(0)), none, sizeofSignals)
	b.call(unix.SYS_SETSID)
	b.call(unix.SYS_CLOSE, b.sockets+stageOfStub)
	b.execute(b.sockets+programOfStub, arguments, nil)

	b.mark("parent")
	b.storePID()
}

// confine gives up everything but what the loop needs, when the stage says so: the payload may trace this process.
func (b *stubBuilder) confine(retained capability.Set) error {
	const last = ^uint32(0)
	own := b.sockets + stageOfStub
	b.call(unix.SYS_CLOSE_RANGE, 0, own-1, 0)
	b.call(unix.SYS_CLOSE_RANGE, own+1, uint64(last), 0)
	b.call(unix.SYS_READ, own, b.put(uint64(0)), 1) // or the stage has ended
	b.call(unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)  // it is in its place now
	for number := range capability.Limit + 1 {
		b.call(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uint64(number))
	}
	kept := uint32(retained&capability.Of(capability.SYS_BOOT) | capability.Of(capability.KILL))
	header := b.put([]uint32{unix.LINUX_CAPABILITY_VERSION_3, 0})
	b.call(unix.SYS_CAPSET, header, b.put([]uint32{kept, kept, 0, 0, 0, 0}))
	b.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	filter, err := seccomp.Only(runtime.GOARCH, "close", "exit_group", "kill", "reboot", "restart_syscall", "rt_sigtimedwait", "setitimer", "waitid")
	if err != nil {
		return fmt.Errorf("stub init: %w", err)
	}
	b.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, b.put([]uint64{uint64(len(filter)), b.put(filter)}))
	b.call(unix.SYS_CLOSE, own)
	return nil
}

// run is the life of process 1. Which part of it runs is its state.
func (b *stubBuilder) run() {
	reboot, powerOff := stubSignals()
	const sigchld, sigalrm = uint64(unix.SIGCHLD), uint64(unix.SIGALRM)
	all := slices.Concat([]unix.Signal{unix.SIGCHLD, unix.SIGALRM}, reboot, powerOff)
	b.reap("running", "ended", b.putSignals(all), func() {
		for _, signal := range reboot {
			b.equal(uint64(signal), "reboot")
		}
		for _, signal := range powerOff {
			b.equal(uint64(signal), "power off")
		}
	})
	stopping := b.putSignals([]unix.Signal{unix.SIGCHLD, unix.SIGALRM})
	for _, end := range []struct {
		name    string
		command uint64
	}{{"reboot", unix.LINUX_REBOOT_CMD_RESTART}, {"power off", unix.LINUX_REBOOT_CMD_POWER_OFF}} {
		b.mark(end.name)
		// Shells ignore SIGTERM, but not SIGHUP, which others take as a request to read their settings again: so it comes last.
		for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGCONT, unix.SIGHUP} {
			b.killPID(uint64(signal))
		}
		b.call(unix.SYS_SETITIMER, unix.ITIMER_REAL, b.put([]uint64{0, 0, stubPatience, 0}), 0)
		b.reap(end.name+" soon", end.name+" now", stopping, func() { b.equal(sigalrm, end.name+" late") })
		for _, when := range []string{" now", " late"} {
			b.mark(end.name + when)
			b.call(unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2, end.command, 0)
			if end.name == "power off" && when == " now" {
				b.jump("ended")
			}
			b.exit(1) // not permitted
		}
	}
	b.mark("ended")
	b.load(b.information() + 8) // si_code
	b.equal(1, "exited")        // CLD_EXITED
	b.exit(255)
	b.mark("exited")
	b.load(b.information() + 24) // si_status
	b.store("status")
	b.addresses["status"] = b.word(2)
	b.exit(0)
}

// reap reaps processes until there are no more, goes on at ended if one was process 2, and waits for a signal for onSignal to choose
// by. Then it begins anew.
func (b *stubBuilder) reap(name, ended string, signals uint64, onSignal func()) {
	b.mark(name)
	b.call(unix.SYS_WAITID, unix.P_ALL, 0, b.information(), unix.WEXITED|unix.WNOHANG, 0)
	b.load(b.information() + 16) // si_pid
	b.equalPID(ended)
	b.positive(name)
	b.call(unix.SYS_RT_SIGTIMEDWAIT, signals, 0, 0, 8)
	onSignal()
	b.jump(name)
}

// ReleaseStub lets process 1 give up its privileges and waits until it has. It is for a stage that is process 2.
func (s InsideStage) ReleaseStub() error {
	file := os.NewFile(uintptr(stubOfStage+s.sockets), "stub init")
	defer file.Close()
	if _, err := file.Write([]byte{1}); err != nil {
		return err
	}
	var none [1]byte
	if n, _ := file.Read(none[:]); n != 0 {
		return fmt.Errorf("process 1 sent %d bytes", n)
	}
	return nil
}
