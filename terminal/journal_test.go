package terminal

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestIsJournal(t *testing.T) {
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()
	defer writes.Close()
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(writes.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{fmt.Sprintf("%d:%d", stat.Dev, stat.Ino): true, "": false, "8:1": false, fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1): false} {
		if got := IsJournal(writes, stream); got != want {
			t.Errorf("%q: %v", stream, got)
		}
	}
	writes.Close()
	if IsJournal(writes, "") {
		t.Error("a closed file is the journal's")
	}
}
