package kernel

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Remove removes the nft tables of ours, whether they are there or not.
func (f *Firewall) Remove() error {
	for _, family := range []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyBridge} {
		table := &nftables.Table{Name: TableName, Family: family}
		f.conn.AddTable(table) // so that there is one to delete
		f.conn.DelTable(table)
		err := f.conn.Flush()
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("remove the nft table %s: %w", TableName, err)
		}
	}
	return nil
}
