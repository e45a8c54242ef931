package machined

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The file of the call arrives, and the call itself is as systemd-nsresourced 260 and later take it.
func TestAllocateUserRange(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "varlink")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := make(chan string, 2)
	go func() {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return
		}
		defer conn.Close()
		message, oob := make([]byte, 4096), make([]byte, 64)
		n, oobn, _, _, _ := conn.ReadMsgUnix(message, oob)
		got <- string(message[:n])
		content := "no file"
		if messages, err := syscall.ParseSocketControlMessage(oob[:oobn]); err == nil && len(messages) == 1 {
			if files, err := syscall.ParseUnixRights(&messages[0]); err == nil && len(files) == 1 {
				file := os.NewFile(uintptr(files[0]), "passed")
				data, _ := io.ReadAll(file)
				content = string(data)
				file.Close()
			}
		}
		got <- content
		_, _ = conn.Write([]byte("{\"parameters\":{}}\x00"))
	}()
	name := filepath.Join(t.TempDir(), "namespace")
	if err := os.WriteFile(name, []byte("of the file"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := (NamespaceResource{Socket: socket}).AllocateUserRange(context.Background(), "nspawn-1", 65536, 2, file); err != nil {
		t.Error(err)
	}
	const want = `{"method":"io.systemd.NamespaceResource.AllocateUserRange","parameters":{"delegateContainerRanges":2,"name":"nspawn-1","size":65536,"userNamespaceFileDescriptor":0}}` + "\x00"
	if call := <-got; call != want {
		t.Errorf("call %q, want %q", call, want)
	}
	if content := <-got; content != "of the file" {
		t.Errorf("passed %q", content)
	}
}

func TestNoNamespaceResource(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	err := NamespaceResource{Socket: socket}.AllocateUserRange(context.Background(), "a", 1, 0, os.Stdin)
	if !errors.Is(err, ErrNoNamespaceResource) {
		t.Errorf("got %v", err)
	}
	client, _ := varlinkServer(t, `{"error":"io.systemd.NamespaceResource.NoDynamicRange","parameters":{}}`+"\x00")
	err = NamespaceResource{Socket: client.Socket}.AllocateUserRange(context.Background(), "a", 1, 0, os.Stdin)
	if err == nil || errors.Is(err, ErrNoNamespaceResource) {
		t.Errorf("got %v", err)
	}
	client, _ = varlinkServer(t, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"delegateContainerRanges"}}`+"\x00")
	err = NamespaceResource{Socket: client.Socket}.AllocateUserRange(context.Background(), "a", 65536, 1, os.Stdin)
	if err == nil || !strings.Contains(err.Error(), "since systemd 260") {
		t.Errorf("from an older systemd-nsresourced: %v", err)
	}
}
