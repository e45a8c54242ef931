package kernel

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file is waited for through directories that are not there yet either.
func TestAwaitFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dbus", "inner", "socket")
	done := make(chan error)
	go func() { done <- AwaitFile(t.Context(), path) }()
	for _, step := range []func() error{
		func() error {
			return os.WriteFile(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(path))), "other"), nil, 0o644)
		},
		func() error { return os.Mkdir(filepath.Dir(filepath.Dir(path)), 0o755) },
		func() error { return os.Mkdir(filepath.Dir(path), 0o755) },
	} {
		select {
		case err := <-done:
			t.Fatalf("returned without the file: %v", err)
		case <-time.After(20 * time.Millisecond): // so that it watches what there is, mostly
		}
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := AwaitFile(t.Context(), path); err != nil {
		t.Errorf("a file that is there: %v", err)
	}
}

func TestAwaitFileEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	path := filepath.Join(t.TempDir(), "file")
	go func() { done <- AwaitFile(ctx, path) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := AwaitFile(t.Context(), filepath.Join(os.DevNull, "file")); err == nil {
		t.Error("below a file: no error")
	}
}
