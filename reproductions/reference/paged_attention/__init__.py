r"""PagedAttention: a key-value cache in blocks, found through a table, shared by reference count.

A server does not know how long an answer will become. A contiguous cache therefore reserves the longest one for every
request, and most of it is never written. PagedAttention [vllm, sections 4.1 to 4.5] cuts the cache into blocks of B
slots and gives a request a new block only when its last one is full, so that a request of length L_i
holds ceil(L_i / B) blocks:

    reserved, contiguous   N M                      never written   1 - sum_i L_i / (N M)
    reserved, paged        sum_i B ceil(L_i / B)    never written   less than B slots a request, whatever M

Token p of sequence i lives in slot ``table[i][p // B] * B + p % B``; attention reads keys and values through that
table. A block has a reference count: fork copies the table and adds one to each count, and a sequence that writes into
a block that others hold too gets a copy of its own first (copy-on-write). With B = M every request holds one block of M
slots: the contiguous cache again.

Letters: N sequences, L_i their lengths, M the longest possible, T the longest now, B slots a block, W blocks in the
longest table, H query heads, G key and value heads (G divides H), D head size, C width of the layer, F width of its
MLP, P tokens of a prompt.

Sizes: serving M = 256 everywhere, ``tiny`` C 32, H 4, G 2, D 16, ``cpu`` C 384, H 6, G 2, D 64, F 1024, ``gpu`` C 4096,
H 32, G 8, D 128, F 14336; one step of attention M 48, 1024 and 8192.
"""
