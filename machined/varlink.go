package machined

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	defaultSocket = "/run/systemd/machine/io.systemd.Machine"
	maxReply      = 1 << 20 // bytes; systemd-machined is trusted, but not with all of our memory
)

// errNoVarlink says that nobody serves the method on the socket.
var errNoVarlink = errors.New("no Varlink service")

// varlinkReply is an answer of a Varlink service (https://varlink.org/Method-Call).
type varlinkReply struct {
	Error      string          `json:"error"`
	Parameters json.RawMessage `json:"parameters"`
}

// callVarlink calls a method of systemd-machined and decodes its answer into reply unless that is nil.
func (c Client) callVarlink(ctx context.Context, method string, parameters, reply any) error {
	return callVarlink(ctx, cmp.Or(c.Socket, defaultSocket), method, parameters, reply)
}

// callVarlink calls a method of the service at a socket, passing files on.
func callVarlink(ctx context.Context, socket, method string, parameters, reply any, files ...*os.File) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return varlinkError(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // ends reads and writes

	answer, err := exchange(fileSender{conn.(*net.UnixConn), files}, method, parameters)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("%s: %w", method, varlinkError(err))
	case answer.Error != "":
		return fmt.Errorf("%s: %w", method, remoteError{answer.Error, strings.Trim(string(answer.Parameters), "{}")})
	case reply == nil:
		return nil
	}
	if err := json.Unmarshal(answer.Parameters, reply); err != nil {
		return fmt.Errorf("%s: decode answer: %w", method, err)
	}
	return nil
}

// fileSender passes files on with what is written.
type fileSender struct {
	*net.UnixConn
	files []*os.File
}

func (s fileSender) Write(data []byte) (int, error) {
	if len(s.files) == 0 {
		return s.UnixConn.Write(data)
	}
	var descriptors []int
	for _, file := range s.files {
		descriptors = append(descriptors, int(file.Fd()))
	}
	n, _, err := s.WriteMsgUnix(data, syscall.UnixRights(descriptors...), nil)
	return n, err
}

// exchange sends one call and reads its answer; both are JSON objects that end in a NUL byte.
func exchange(conn io.ReadWriter, method string, parameters any) (varlinkReply, error) {
	call, err := json.Marshal(map[string]any{"method": method, "parameters": parameters})
	if err != nil {
		return varlinkReply{}, err
	}
	if _, err := conn.Write(append(call, 0)); err != nil {
		return varlinkReply{}, err
	}
	message, err := bufio.NewReader(io.LimitReader(conn, maxReply)).ReadBytes(0)
	if err != nil {
		if len(message) == maxReply {
			err = fmt.Errorf("answer has more than %d bytes", maxReply)
		}
		return varlinkReply{}, err
	}
	var answer varlinkReply
	if err := json.Unmarshal(bytes.TrimSuffix(message, []byte{0}), &answer); err != nil {
		return varlinkReply{}, fmt.Errorf("decode answer: %w", err)
	}
	return answer, nil
}

// varlinkError marks what a host without a Varlink systemd-machined answers: no socket, a socket that nobody listens on, or
// one of a masked service, which the service manager closes.
func varlinkError(err error) error {
	for _, absent := range []error{syscall.ENOENT, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF} {
		if errors.Is(err, absent) {
			return fmt.Errorf("%w: %w", errNoVarlink, err)
		}
	}
	return err
}

// varlinkPID is a process in an answer: a number up to systemd 256, later an object with more about the process.
type varlinkPID int

// UnmarshalJSON implements [json.Unmarshaler].
func (p *varlinkPID) UnmarshalJSON(data []byte) error {
	var process struct {
		PID int `json:"pid"`
	}
	if json.Unmarshal(data, &process.PID) != nil {
		if err := json.Unmarshal(data, &process); err != nil {
			return err
		}
	}
	*p = varlinkPID(process.PID)
	return nil
}
