// Package dissect reads disk images: which file systems and partitions there are, which of them make up an operating system
// (the Discoverable Partitions Specification, https://uapi-group.org/specifications/specs/discoverable_partitions_specification),
// what an image policy (systemd.image-policy(7)) says to them, and where they are mounted.
//
// It only reads, a bounded number of bytes through an [io.ReaderAt], and believes nothing: a number of the image is an offset
// or a size only after it was compared with the size of the image.
package dissect

import "io"

// at reads n bytes at an offset. What is beyond the end of the image is an error.
func at(r io.ReaderAt, offset int64, n int) ([]byte, error) {
	data := make([]byte, n)
	if read, err := r.ReadAt(data, offset); read < n {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return data, nil
}
