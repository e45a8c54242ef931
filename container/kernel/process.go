package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Namespaces says which namespaces a container gets of its own. PID, mount, UTS and IPC namespaces it always gets.
type Namespaces struct {
	Network bool
	Join    *os.File // a network namespace that is there, and is entered; nil: none
	// UserStart and UserCount are the host's users that the container's users 0 to UserCount-1 are; UserCount 0 means no
	// user namespace.
	UserStart, UserCount uint32
	// Users is a user namespace that has these users already and is to be entered; nil: a new one is made.
	Users *os.File
}

// Child is the container's first process.
type Child struct {
	PID        int
	Descriptor int // a pidfd
}

// MarshalJSON hands the child over, see [File].
func (c *Child) MarshalJSON() ([]byte, error) {
	if err := setCloseOnExec(c.Descriptor, false); err != nil {
		return nil, fmt.Errorf("hand over process %d: %w", c.PID, err)
	}
	return json.Marshal(*c)
}

// StageName is argv[0] of the re-execution that sets the container up from inside.
const StageName = "(nspawn-exec)"

// Stage is what the container's first process starts with, or with a stub the second.
type Stage struct {
	Namespaces Namespaces
	Program    *os.File // of [OwnProgram]
	Group      *os.File // control group; nil: the supervisor's
	Stdio      [3]*os.File
	Sockets    int // how many descriptors from 3 on are for the payload, with the same numbers
	Channel    *Channel
	Plan       *os.File // a sealed file
	Stub       *Stub    // process 1; nil: the stage is
}

// Descriptors of the stage behind the sockets.
const (
	stageChannel  = 3
	stagePlan     = 4
	stubOfStage   = 5 // its end of a socket pair, if there is a stub
	stageOfStub   = 6 // the stub's end
	programOfStub = 7 // the own program, for the stub to execute
)

// arguments are those of the stage: the number of sockets, if there are some.
func (s *Stage) arguments() []string {
	if s.Sockets == 0 {
		return []string{StageName}
	}
	return []string{StageName, strconv.Itoa(s.Sockets)}
}

// InsideStage is what the stage has inherited.
type InsideStage struct {
	Channel *Channel // to the supervisor
	Plan    *os.File
	sockets int
}

// NewInsideStage finds it by the arguments of the stage.
func NewInsideStage(arguments []string) InsideStage {
	s := InsideStage{}
	if len(arguments) > 1 {
		s.sockets, _ = strconv.Atoi(arguments[1]) // the supervisor wrote it
	}
	s.Channel = ChannelFrom(stageChannel + s.sockets)
	s.Plan = os.NewFile(uintptr(stagePlan+s.sockets), "plan")
	return s
}

// Close closes what the stage has inherited.
func (s *Stage) Close() {
	s.Plan.Close()
	s.Channel.Close()
	if s.Group != nil {
		s.Group.Close()
	}
}

// Start starts the own program again as the first process of new namespaces; with a stub that is the first process, and the own
// program the second. It dies with the thread that calls Start, which must therefore be locked and live as long as the program.
func (s *Stage) Start() (child *Child, err error) {
	if s.Namespaces.Join == nil {
		return s.start()
	}
	err = InNetwork(s.Namespaces.Join, func() error {
		child, err = s.start()
		return err
	})
	return child, err
}

func (s *Stage) start() (*Child, error) {
	pidfd := -1
	attributes := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
		PidFD:      &pidfd,
	}
	if s.Namespaces.Network {
		attributes.Cloneflags |= unix.CLONE_NEWNET
	}
	if namespaces := s.Namespaces; namespaces.UserCount > 0 && namespaces.Users == nil {
		ids := []syscall.SysProcIDMap{{HostID: int(namespaces.UserStart), Size: int(namespaces.UserCount)}}
		attributes.Cloneflags |= unix.CLONE_NEWUSER
		attributes.UidMappings, attributes.GidMappings = ids, ids
		attributes.GidMappingsEnableSetgroups = true
		attributes.Credential = &syscall.Credential{}
	}
	if s.Group != nil {
		attributes.UseCgroupFD, attributes.CgroupFD = true, int(s.Group.Fd())
	}
	// With one processor the runtime starts fewer threads, which takes a tenth from the start of the container.
	process := &syscall.ProcAttr{Dir: "/", Env: []string{"GOMAXPROCS=1"}, Sys: attributes}
	for _, file := range s.Stdio {
		process.Files = append(process.Files, file.Fd())
	}
	for fd := range s.Sockets {
		process.Files = append(process.Files, uintptr(firstSocket+fd))
	}
	process.Files = append(process.Files, s.Channel.file.Fd(), s.Plan.Fd())
	program, arguments := s.Program, s.arguments()
	if s.Stub != nil {
		var end func()
		var err error
		if program, end, err = s.Stub.prepare(process, program, arguments); err != nil {
			return nil, err
		}
		defer end()
		arguments = []string{stubName}
	}
	if s.Namespaces.Users != nil {
		return s.enter(process, program, arguments)
	}
	pid, err := syscall.ForkExec(fmt.Sprintf("/proc/self/fd/%d", program.Fd()), arguments, process)
	if err != nil {
		return nil, fmt.Errorf("clone into new namespaces: %w", err)
	}
	return &Child{PID: pid, Descriptor: pidfd}, nil
}

// OwnProgram opens the running program through a detached read-only mount of its own: a payload that gets hold of
// /proc/PID/exe cannot write to the installed file (CVE-2019-5736). The calling thread must have the mounts of the host, where the
// program was started.
func OwnProgram() (*os.File, error) {
	file, err := os.OpenFile("/proc/self/exe", unix.O_PATH, 0)
	if err != nil {
		return nil, fmt.Errorf("open own program: %w", err)
	}
	defer file.Close()
	tree, err := CloneTreeOf(file, false)
	if err != nil {
		return nil, err
	}
	if err := tree.SetAttributes(ReadOnly, false); err != nil {
		tree.Close()
		return nil, err
	}
	return tree.file, nil
}

// ChildOf returns a process of the container that is not the first.
func ChildOf(pid int) (*Child, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &Child{PID: pid, Descriptor: pidfd}, nil
}

// OpenNamespace opens a namespace of the child: "user", "net", ….
func (c *Child) OpenNamespace(kind string) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/ns/%s", c.PID, kind))
}

// Signal sends a signal to the child, never to another process that got its number.
func (c *Child) Signal(signal syscall.Signal) error {
	if err := unix.PidfdSendSignal(c.Descriptor, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(signal), c.PID, err)
	}
	return nil
}

// End ends the child, unless somebody has waited for its end already.
func (c *Child) End() {
	if unix.PidfdSendSignal(c.Descriptor, Kill, nil, 0) == nil {
		_, _ = c.Wait()
	}
}

// Await waits for the end of the child, which is also the end of every process of the container.
func (c *Child) Await() error {
	file, err := polledCopy(c.Descriptor, "pidfd")
	if err == nil {
		defer file.Close()
		err = WaitReadable(file)
	}
	if err != nil {
		return fmt.Errorf("wait for process %d: %w", c.PID, err)
	}
	return nil
}

// Wait waits for the end of the child and returns how it ended, once.
func (c *Child) Wait() (status syscall.WaitStatus, err error) {
	if err := c.Await(); err != nil {
		return 0, err
	}
	for {
		if _, err = syscall.Wait4(c.PID, &status, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("wait for process %d: %w", c.PID, err)
	}
	return status, nil
}

// NewSealedFile returns a file in memory with the data, at its beginning, that nobody can change.
func NewSealedFile(name string, data []byte) (*os.File, error) { return newSealedFile(name, data, 0) }

// newSealedFile takes further flags of memfd_create(2), which a kernel may not know.
func newSealedFile(name string, data []byte, flags int) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|flags)
	if errors.Is(err, unix.EINVAL) && flags != 0 {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("make file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	if _, err := file.WriteAt(data, 0); err != nil {
		file.Close()
		return nil, fmt.Errorf("write file in memory: %w", err)
	}
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		file.Close()
		return nil, fmt.Errorf("seal file in memory: %w", err)
	}
	return file, nil
}

// HasSystemd reports whether systemd is the host's init, as sd_booted(3) does.
func HasSystemd() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// Kill ends a process at once.
const Kill = unix.SIGKILL

// ProcessExists reports whether a process of that number is there and has not ended: a zombie, which nobody waited for yet, is
// none.
func ProcessExists(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return !errors.Is(err, unix.ESRCH)
	}
	defer unix.Close(fd)
	ended, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err != nil || ended == 0
}

// firstRealTimeSignal is SIGRTMIN of glibc, which keeps two for itself (signal(7)).
const firstRealTimeSignal = 34

// SignalName is how systemd's programs write a signal, as in KILL or RTMIN+3.
func SignalName(signal syscall.Signal) string {
	if name := unix.SignalName(signal); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return fmt.Sprintf("RTMIN+%d", signal-firstRealTimeSignal)
}
