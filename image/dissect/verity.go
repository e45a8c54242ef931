package dissect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Verity is what is known from outside of an image on how to check its data with dm-verity.
type Verity struct {
	Designator string // whose data: Root, Usr, or nothing: not said
	RootHash   []byte
	Signature  []byte // of the root hash, PKCS #7
	External   bool   // the hashes are in a file of their own, --verity-data=
}

// minRootHash is the least size of a root hash: its halves are the UUIDs of data and hashes.
const minRootHash = 16

// ParseRootHash reads a root hash from its hexadecimal digits.
func ParseRootHash(text string) ([]byte, error) {
	hash, err := hex.DecodeString(text)
	if err != nil {
		return nil, errors.New("not hexadecimal digits")
	}
	if len(hash) < minRootHash {
		return nil, fmt.Errorf("a root hash has at least %d bits", 8*minRootHash)
	}
	return hash, nil
}

// uuids returns the UUIDs that the partitions of data and hashes have; empty if there is no root hash.
func (v *Verity) uuids() (data, hashes string) {
	if v.RootHash == nil {
		return "", ""
	}
	return hex.EncodeToString(v.RootHash[:minRootHash]), hex.EncodeToString(v.RootHash[len(v.RootHash)-minRootHash:])
}

// covers reports whether what is said of a root hash may be about a partition. Nothing said: that is up to the signatures in the
// image.
func (v *Verity) covers(designator string) bool {
	return v.Designator == designator || v.Designator == "" && (designator == Root || v.RootHash == nil)
}

// maxSignature bounds what is read of a partition with a signature.
const maxSignature = 1 << 20

// readSignature reads a partition with the signature of a root hash, see "Verity Signature" of the Discoverable Partitions
// Specification.
func readSignature(r io.ReaderAt, e entry) (rootHash, signature []byte, err error) {
	data, err := at(r, e.offset, int(min(e.size, maxSignature)))
	if err != nil {
		return nil, nil, err
	}
	data, _, _ = bytes.Cut(data, []byte{0})
	var content struct{ RootHash, Signature string }
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, nil, fmt.Errorf("signature of a root hash: %w", err)
	}
	if rootHash, err = ParseRootHash(content.RootHash); err != nil {
		return nil, nil, fmt.Errorf("signature of a root hash: rootHash: %w", err)
	}
	if signature, err = base64.StdEncoding.DecodeString(content.Signature); err != nil || len(signature) == 0 {
		return nil, nil, errors.New("signature of a root hash: signature: not base64")
	}
	return rootHash, signature, nil
}
