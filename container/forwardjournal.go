package container

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// receiverProgram takes what journald of the container sends, see systemd-journal-remote(8).
const receiverProgram = "systemd-journal-remote"

const (
	// receiverTimeout bounds how long the receiver may take to listen, and to end.
	receiverTimeout = 25 * time.Second
	// drainTimeout bounds how long the receiver may take to read what the container sent last.
	drainTimeout = 5 * time.Second
)

// receiverDirectory has the sockets of the receivers.
const receiverDirectory = "/run/nspawnkit/journal"

// receiverSocket is where the receiver of a machine listens, and receiverNotify where it says that it does.
func receiverSocket(machine string) string { return filepath.Join(receiverDirectory, machine) }
func receiverNotify(machine string) string { return receiverSocket(machine) + partSuffix }

// receiver is a running systemd-journal-remote.
type receiver struct {
	Socket  string
	Process *kernel.Child

	ended    chan error // gets what Wait returns
	stopping atomic.Bool
}

// forwardJournal starts the receiver of the container's journal and has its socket mounted inside: --forward-journal= of
// systemd-nspawn(1). journald inside finds it by the credential journal.forward_to_socket, which settings adds.
func (s *Supervisor) forwardJournal() error {
	wanted := s.plan.Options.ForwardJournal
	origin := settings.Origin{Option: "--forward-journal"}
	machine := s.plan.Settings.Machine
	cmd, err := receiverCommand(wanted, receiverSocket(machine))
	if err == nil {
		s.receiver, err = startReceiver(cmd, machine)
	}
	if err == nil {
		err = os.Chown(receiverSocket(machine), int(s.plan.Users.Start), int(s.plan.Users.Start)) // who connects must be able to write
	}
	if err != nil {
		return fmt.Errorf("%s: %w", origin, err)
	}
	go s.receiver.watch(s.log)
	tree, err := kernel.CloneTree(receiverSocket(machine), false)
	if err != nil {
		return err
	}
	s.custom = append(s.custom, openedMount{
		customMount: customMount{
			origin: origin, destination: settings.ForwardJournalSocket, kind: bindMount, bind: &settings.Bind{ReadOnly: true, IDMap: "noidmap"},
		},
		tree: tree,
	})
	return nil
}

// receiverCommand makes the directory that is written to and returns the command that does.
func receiverCommand(wanted settings.ForwardJournal, socket string) (*exec.Cmd, error) {
	output, err := filepath.Abs(wanted.Path)
	if err != nil {
		return nil, err
	}
	program, err := findReceiver()
	if err != nil {
		return nil, err
	}
	mode, directory := "host", output
	if strings.HasSuffix(output, ".journal") {
		mode, directory = "none", filepath.Dir(output)
	}
	arguments := []string{"--listen-raw=" + socket, "--output=" + output, "--split-mode=" + mode}
	if len(wanted.Limits) > 0 {
		help, err := exec.Command(program, "--help").Output()
		if err != nil {
			return nil, fmt.Errorf("%s --help: %w", program, err)
		}
		for _, limit := range wanted.Limits {
			if !strings.Contains(string(help), "--"+limit.Name) {
				return nil, fmt.Errorf("%s of this host has no option --%s: that needs systemd 261", receiverProgram, limit.Name)
			}
			arguments = append(arguments, fmt.Sprintf("--%s=%d", limit.Name, limit.Value))
		}
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, err
	}
	return exec.Command(program, arguments...), nil
}

func findReceiver() (string, error) {
	for _, name := range []string{"/usr/lib/systemd/" + receiverProgram, "/lib/systemd/" + receiverProgram, receiverProgram} {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", fmt.Errorf("%s is missing: install the package %[1]s", receiverProgram)
}

// startReceiver returns when the receiver listens. It ends with this process, however that ends.
func startReceiver(cmd *exec.Cmd, machine string) (*receiver, error) {
	if err := errors.Join(os.MkdirAll(receiverDirectory, 0o700), removeReceiverSockets(machine)); err != nil {
		return nil, err
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: receiverNotify(machine), Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	defer os.Remove(receiverNotify(machine))
	defer notify.Close()
	cmd.Env = []string{"NOTIFY_SOCKET=" + receiverNotify(machine), "SYSTEMD_LOG_LEVEL=notice"}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // Ctrl-C is not for it
		Pdeathsig: syscall.SIGTERM, // this thread is the main one
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &receiver{Socket: receiverSocket(machine)}
	if r.Process, err = kernel.ChildOf(cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	r.await()
	ready := make(chan error, 1)
	go func() {
		_ = notify.SetReadDeadline(time.Now().Add(receiverTimeout))
		_, err := notify.Read(make([]byte, 4096)) // the first message is READY=1
		ready <- err
	}()
	select {
	case err = <-ready:
	case err = <-r.ended:
		err = fmt.Errorf("%s ended instead of listening: %w", receiverProgram, err)
	}
	if err != nil {
		_ = r.Process.Signal(kernel.Kill)
		return nil, errors.Join(err, removeReceiverSockets(machine))
	}
	return r, nil
}

// await makes that the end is noticed.
func (r *receiver) await() {
	r.ended = make(chan error, 1)
	go func() {
		status, err := r.Process.Wait()
		switch {
		case status.Signaled():
			err = fmt.Errorf("signal %d", status.Signal())
		case status.ExitStatus() > 0:
			err = fmt.Errorf("exit status %d", status.ExitStatus())
		}
		r.ended <- err
	}()
}

// watch says so if the receiver ends while the container runs.
func (r *receiver) watch(log func(priority int, text string)) {
	err := <-r.ended
	if !r.stopping.Load() {
		log(Warning, fmt.Sprintf("%s ended (%v): the container's journal is not forwarded any more", receiverProgram, err))
	}
	close(r.ended)
}

// stop ends the receiver when it has read all that the container sent.
func (r *receiver) stop() error {
	r.stopping.Store(true)
	r.drain()
	_ = r.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(receiverTimeout):
		_ = r.Process.Signal(kernel.Kill)
	}
	return os.Remove(r.Socket)
}

// drain waits until the receiver has taken a connection that is made now, and closed it: it takes them in order.
func (r *receiver) drain() {
	connection, err := net.DialTimeout("unix", r.Socket, drainTimeout)
	if err != nil {
		return
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(drainTimeout))
	_ = connection.(*net.UnixConn).CloseWrite()
	_, _ = io.Copy(io.Discard, connection)
}

// removeReceiverSockets removes what a receiver left that was killed. One that somebody listens on stays.
func removeReceiverSockets(machine string) error {
	if connection, err := net.DialTimeout("unix", receiverSocket(machine), drainTimeout); err == nil {
		return connection.Close()
	}
	return errors.Join(removeMissingOk(receiverSocket(machine)), removeMissingOk(receiverNotify(machine)))
}
