package kernel

import (
	"debug/elf"
	"testing"

	"nspawnkit/container/capability"
)

// The executable of the stub is one that other programs understand, with code that nobody writes to.
func TestStubExecutable(t *testing.T) {
	file, err := Stub{Capabilities: capability.Default}.file(2, []string{StageName, "2"})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := elf.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Type != elf.ET_EXEC || len(parsed.Progs) != 2 {
		t.Fatalf("%+v", parsed)
	}
	code, data := parsed.Progs[0], parsed.Progs[1]
	if code.Flags != elf.PF_R|elf.PF_X || data.Flags != elf.PF_R|elf.PF_W || parsed.Entry < code.Vaddr || parsed.Entry >= code.Vaddr+code.Filesz {
		t.Errorf("code %+v, data %+v, entry %#x", code, data, parsed.Entry)
	}
	if data.Vaddr != stubRecords || data.Filesz > 1<<16 {
		t.Errorf("data %+v", data)
	}
	// It is sealed: who traces the stub cannot change it for others.
	if _, err := file.WriteAt([]byte{0}, 0); err == nil {
		t.Error("the executable can be written to")
	}
}
