package machined

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrNoNamespaceResource says that this host has no systemd-nsresourced(8).
var ErrNoNamespaceResource = errors.New("systemd-nsresourced.service is not available")

// NamespaceResourceSocket is where systemd-nsresourced(8) listens.
const NamespaceResourceSocket = "/run/systemd/io.systemd.NamespaceResource"

// NamespaceResource calls systemd-nsresourced(8). The zero one calls that of this host.
type NamespaceResource struct {
	Socket string // Varlink socket; empty: the host's
}

// AllocateUserRange has systemd-nsresourced pick a free range of size users, 65536 or 1, and map it into a user namespace that is
// empty. The range is the caller's as long as the namespace exists. name, of at most 16 characters, is part of the names that the
// host's user database gives to these users; nobody else may have it. delegate ranges of 65536 users more are mapped to themselves, for
// user namespaces that are made inside: that needs systemd 260.
func (n NamespaceResource) AllocateUserRange(ctx context.Context, name string, size uint32, delegate uint, userns *os.File) error {
	socket := cmp.Or(n.Socket, NamespaceResourceSocket)
	parameters := map[string]any{"name": name, "size": size, "userNamespaceFileDescriptor": 0}
	if delegate > 0 {
		parameters["delegateContainerRanges"] = delegate
	}
	err := callVarlink(ctx, socket, "io.systemd.NamespaceResource.AllocateUserRange", parameters, nil, userns)
	if errors.Is(err, errNoVarlink) {
		return fmt.Errorf("%w: %w", ErrNoNamespaceResource, err)
	}
	refused := remoteError{}
	if delegate > 0 && errors.As(err, &refused) && refused.name == "org.varlink.service.InvalidParameter" && strings.Contains(refused.detail, "delegateContainerRanges") {
		return fmt.Errorf("ranges are delegated since systemd 260: %w", err)
	}
	return err
}
