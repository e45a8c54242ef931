package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// GetSysctl reads the kernel parameter at path below /proc/sys.
func GetSysctl(path string) (string, error) {
	data, err := os.ReadFile(filepath.Join("/proc/sys", path))
	return string(data), err
}

// SetSysctl writes a kernel parameter. One of a link that has gone is [network.ErrNoLink].
func SetSysctl(path, value string) error {
	file, err := os.OpenFile(filepath.Join("/proc/sys", path), os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(value)
		err = errors.Join(err, file.Close())
	}
	if errors.Is(err, unix.ENOENT) {
		err = network.ErrNoLink
	}
	if err != nil {
		return fmt.Errorf("set sysctl %s=%s: %w", path, value, err)
	}
	return nil
}
