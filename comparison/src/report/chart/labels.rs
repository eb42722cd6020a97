//! Where names stand beside the ends of their lines, so that none lies on another.

/// Moves heights apart to at least this gap, within the bounds where they fit, as little as possible. The order stays.
///
/// Neighbours that would touch become one block, which stands where its members wish on average.
pub fn apart(wishes: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    struct Block {
        members: Vec<usize>,
        /// Where the first member would stand, summed over what each member wishes.
        sum: f64,
    }
    let room = (wishes.len().saturating_sub(1)) as f64;
    let gap = if room > 0.0 { gap.min((high - low) / room) } else { gap };
    let first = |block: &Block| {
        let length = (block.members.len() - 1) as f64 * gap;
        (block.sum / block.members.len() as f64).clamp(low, (high - length).max(low))
    };
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|a, b| wishes[*a].total_cmp(&wishes[*b]));
    let mut blocks: Vec<Block> = Vec::new();
    for at in order {
        blocks.push(Block { members: vec![at], sum: wishes[at] });
        while let [.., above, below] = blocks.as_slice() {
            if first(above) + above.members.len() as f64 * gap <= first(below) + 1e-9 {
                break;
            }
            let Some(below) = blocks.pop() else { break };
            let Some(above) = blocks.last_mut() else { break };
            let shift = above.members.len() as f64 * gap;
            above.sum += below.sum - shift * below.members.len() as f64;
            above.members.extend(below.members);
        }
    }
    let mut heights = vec![0.0; wishes.len()];
    for block in &blocks {
        let first = first(block);
        for (place, member) in block.members.iter().enumerate() {
            heights[*member] = first + place as f64 * gap;
        }
    }
    heights
}
