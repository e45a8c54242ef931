package resident

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// executable returns how much of the executable is in memory, in KiB.
func executable(t *testing.T) (total int) {
	t.Helper()
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ours := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if first, _, _ := strings.Cut(line, " "); strings.Contains(first, "-") {
			ours = strings.Contains(line, " r-xp ") && strings.Contains(line, "/")
		}
		if rest, found := strings.CutPrefix(line, "Rss:"); found && ours {
			var size int
			if _, err := fmt.Sscan(rest, &size); err != nil {
				t.Fatal(err)
			}
			total += size
		}
	}
	return total
}

func TestDropExecutable(t *testing.T) {
	before := executable(t)
	if err := DropExecutable(); err != nil {
		t.Fatal(err)
	}
	if after := executable(t); after >= before {
		t.Errorf("%d KiB of the executable are in memory, %d before", after, before)
	}
}

func TestCleanMappings(t *testing.T) {
	smaps, err := os.Open("testdata/smaps") // of a program that was linked dynamically
	if err != nil {
		t.Fatal(err)
	}
	defer smaps.Close()
	clean, err := cleanMappings(smaps)
	want := []mapping{{0x400000, 0x8a9000}, {0x8a9000, 0xdf1000}, {0x7f0000000000, 0x7f0000028000}, {0x7f0000028000, 0x7f000018a000}}
	if err != nil || !slices.Equal(clean, want) {
		t.Errorf("%#x, %v", clean, err)
	}
}
